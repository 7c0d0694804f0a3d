"""Where a domain begins: the part of a host's name below which all names are one owner's.

No copy of the public suffix list: a short table of the usual ones, and on the safe side. Where strangers
get names from a host of others (pages, buckets, tunnels), a host is a domain of its own.
"""

from __future__ import annotations

__all__ = ["Undivided", "domain_of"]

_SECOND = frozenset("ac co com edu ed go gob gov gv id info ltd me mil ne net nom or org plc sch web".split())
_STRANGERS = frozenset(
    """github.io githubusercontent.com github.dev gitlab.io bitbucket.io codeberg.page pages.dev
    workers.dev r2.dev cloudflarestorage.com trycloudflare.com vercel.app now.sh netlify.app netlify.com
    herokuapp.com amazonaws.com amazonaws.com.cn awsapprunner.com cloudfront.net azurewebsites.net
    azurestaticapps.net azureedge.net windows.net cloudapp.net azure.com appspot.com run.app web.app
    firebaseapp.com firebaseio.com googleapis.com googleusercontent.com cloudfunctions.net ngrok.io
    ngrok.app ngrok.dev ngrok-free.app ngrok-free.dev fly.dev onrender.com railway.app surge.sh
    glitch.me repl.co replit.app replit.dev deno.dev digitaloceanspaces.com ondigitalocean.app
    backblazeb2.com supabase.co blogspot.com wordpress.com tumblr.com myshopify.com readthedocs.io
    hf.space duckdns.org ddns.net no-ip.org noip.me dyndns.org sslip.io nip.io loca.lt serveo.net
    localhost.run lhr.life ts.net wixsite.com weebly.com webflow.io gitbook.io translate.goog""".split()
)


class Undivided(ValueError):
    """There is no domain to speak of; the message says why, in a few words."""


def domain_of(host: str) -> str:
    """The domain that ``host``, a name in lower case, belongs to. Raises Undivided."""
    labels = host.rstrip(".").split(".")
    for start in range(len(labels)):
        suffix = ".".join(labels[start:])
        if suffix in _STRANGERS:
            if start == 0:
                raise Undivided(f"names below {host} are given to anybody")
            return ".".join(labels)
    if len(labels) == 1:
        raise Undivided(f"{host} is one name and no domain")
    own = 3 if len(labels[-1]) == 2 and labels[-2] in _SECOND else 2
    if len(labels) < own:
        raise Undivided(f"{host} is a public suffix: everybody's names are below it")
    return ".".join(labels[-own:])
