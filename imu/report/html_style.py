"""How the HTML report looks: light and dark as the reader's system is, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #ffffff; --line: #d0d7de; --squat: #0b5cad;
  --hinge: #b3470e; --on: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b3; --paper: #14181d; --line: #3a424c;
  --squat: #6cb2ff; --hinge: #ffa057; --on: #14181d; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --squat: #0b5cad;
  --hinge: #b3470e; --on: #fff; } section { break-inside: avoid-page; } .scroll { overflow: visible; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 60rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 2.5rem 0 .25rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .25rem 0; } .soft, caption, figcaption { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .75rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0; font-size: .9rem; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; overflow-x: auto; } svg { display: block; width: 100%; min-width: 36rem; height: auto;
  font: 12px system-ui, sans-serif; }
svg.legend { width: 22.5rem; max-width: 100%; min-width: 0; }
svg text { fill: var(--soft); } svg text.inside { fill: var(--on); font-weight: 600; }
.grid { stroke: var(--line); stroke-width: 1; } .set { fill: var(--soft); }
.squat { fill: var(--squat); } .hinge { fill: var(--hinge); }
.bar.hinge { fill: url(#hatch); stroke: var(--hinge); stroke-width: 1.5; }
.bar.hinge + text.inside { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.hatching { stroke: var(--hinge); stroke-width: 2; }
.mark.uncertain { fill: none; stroke: var(--soft); stroke-width: 2; }
details { margin: .5rem 0; } summary { cursor: pointer; }
"""
