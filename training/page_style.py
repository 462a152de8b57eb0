"""How the report page looks: one column on a phone, plots side by side beyond, light and dark."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --paper: #ffffff;
  --rule: #dfe4ea; --card: #f5f7f9; --c0: #0b6fb8; --c1: #d9730d; --c2: #7d8794; --c3: #12836b;
  --c4: #b0437f; --good: #12836b; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b6; --paper: #14181e;
  --rule: #303844; --card: #1c222b; --c0: #5fb3ee; --c1: #f2a65a; --c2: #9aa4b1; --c3: #4fc9a6;
  --c4: #e08bbb; --good: #4fc9a6; --bad: #ef7f72; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif; }
main { max-width: 900px; margin: 0 auto; padding: 20px 16px 48px; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.15rem; margin: 44px 0 8px; padding-top: 16px; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 28px 0 6px; }
h1 span, h2 span, h3 span, figcaption span { color: var(--soft); font-weight: 400;
  white-space: nowrap; }
.note { color: var(--soft); font-size: .85rem; margin-top: 40px; }
.plots { display: grid; gap: 20px; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
figure { margin: 12px 0 0; max-width: 480px; }
figcaption { font-weight: 600; font-size: .92rem; margin-bottom: 4px; }
svg { width: 100%; height: auto; display: block; }
svg text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--soft); stroke-width: 1.2; }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); } .c3 { --c: var(--c3); }
.c4 { --c: var(--c4); }
.line { fill: none; stroke: var(--c); stroke-width: 2; }
.band { fill: var(--c); opacity: .16; }
.dot, .bar { fill: var(--c); }
.whisker { stroke: var(--ink); stroke-width: 1.4; }
.reach { stroke-width: 2.4; }
.clear { stroke: var(--c0); fill: var(--c0); }
.unsure { stroke: var(--soft); fill: var(--soft); }
.mean { stroke: none; }
.verdicts { display: grid; gap: 8px; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); }
.verdicts small { margin: 0; }
.legend, .verdicts { list-style: none; padding: 0; margin: 4px 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: .85rem; color: var(--soft);
  padding-left: 11%; }
.legend li::before { content: ""; display: inline-block; width: .7em; height: .7em;
  border-radius: 2px; margin-right: .4em; background: var(--c); }
.verdicts li { background: var(--card); border-left: 4px solid var(--soft); padding: 8px 12px;
  border-radius: 4px; }
.verdicts .better { border-color: var(--good); } .verdicts .worse { border-color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--rule); }
th:first-child { text-align: left; font-weight: 500; position: sticky; left: 0;
  background: var(--paper); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 16px; font-size: .86rem; }
dt { font-weight: 600; } dd { margin: 0; } dd span { color: var(--soft); }
@media (max-width: 520px) { dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; } }
small { color: var(--soft); font-size: .85em; margin-left: .3em; }
"""
