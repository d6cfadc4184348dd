"""The program as a whole: the only package that names concrete adapters.

`assemble` chooses and builds the parts, `application` starts and stops them, `signals` runs them
under the signals of the process.
"""

from ambassador.app.alone import seen
from ambassador.app.application import App
from ambassador.app.assemble import lists, new_loop, sources, token
from ambassador.app.examine import examine, unreadable
from ambassador.app.signals import serve

__all__ = ["App", "examine", "lists", "new_loop", "seen", "serve", "sources", "token", "unreadable"]
