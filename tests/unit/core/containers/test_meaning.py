import pytest

from ambassador.core.containers.meaning import meaning

from .scene import container, replace, replica, wanted

SHOP = [replica("shop", "web", number) for number in (1, 2, 10)]
OTHER = replica("blog", "web", 1)


def names(text, containers):
    return [one.name for one in meaning(wanted(text), containers).containers]


def test_an_exact_name_wins_over_service_and_project():
    exact = container("web.shop")
    assert names("docker://web.shop:80", [*SHOP, exact]) == ["web.shop"]


def test_a_service_of_a_project_is_all_its_replicas_in_their_order():
    expected = ["shop-web-1", "shop-web-2", "shop-web-10"]
    assert names("docker://web.shop:80", [SHOP[2], OTHER, *SHOP[:2]]) == expected


def test_a_service_that_only_one_project_has_needs_no_project():
    assert names("docker://web:80", SHOP) == ["shop-web-1", "shop-web-2", "shop-web-10"]


def test_a_service_of_several_projects_is_an_error_that_lists_them():
    found = meaning(wanted("docker://web:80"), [*SHOP, OTHER])
    assert found.wrong
    assert not found.containers
    assert "docker://web.blog, docker://web.shop" in found.problem


def test_what_compose_run_has_made_is_no_replica():
    once = replica("shop", "web", 3)
    once = replace(once, labels={**once.labels, "com.docker.compose.oneoff": "True"})
    assert names("docker://web.shop:80", [*SHOP[:1], once]) == ["shop-web-1"]


@pytest.mark.parametrize("length", [12, 20, 64])
def test_an_id_means_its_container(length):
    one = replace(container("a"), id="0123456789abcdef" * 4)
    assert names(f"docker://{one.id[:length]}:80", [one, container("b")]) == ["a"]


def test_labels_all_have_to_be_there():
    db = container("db", labels={"ambassador.name": "db", "tier": "back"})
    other = container("x", labels={"ambassador.name": "x", "tier": "back"})
    assert names("docker://?label=ambassador.name=db&label=tier", [other, db]) == ["db"]
    assert names("docker://?label=tier=back", [other, db]) == ["db", "x"]
    found = meaning(wanted("docker://?label=tier=front"), [db])
    assert found.problem == "no container has the label tier=front"


def test_an_unknown_name_says_the_nearest():
    found = meaning(wanted("docker://rdis:6379"), [container("redis"), container("web")])
    assert found.problem == 'no container is called rdis, did you mean "redis"?'
    assert not found.wrong
