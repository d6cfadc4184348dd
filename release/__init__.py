"""How a release is made: `./dev release`, then docs/release.md.

    source      the version, the date and the text of the changes: from one place each
    wheel       wheel and sdist, checked as the package index would
    vendor      what the program depends on, for a machine and several Pythons, in one folder
    manual      man pages and completions, from the command line itself
    debian      the package for Debian and Ubuntu
    single      one executable file
    image       the container image as an archive of the Open Container Initiative
    inventory   what is in it (CycloneDX), and the sums of all files

Two runs of one commit give equal bytes: no clock is read, names are sorted, owners are root.
"""
