"""The style of the page: light and dark, wide and narrow, on screens and on paper."""

STYLE = """
:root{color-scheme:light dark;--page:#fff;--card:#f5f6f8;--ink:#1b1f24;--soft:#56606b;--rule:#d5dae0;--on:#fff;
--blue:#0b5cad;--orange:#b34700;--green:#00705a;--purple:#7a3e9d;--grey:#5f6b76;--good:#00653a;--bad:#a8200d}
@media screen and (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1f2429;--ink:#e8ebee;--soft:#a9b3bd;
--rule:#3a424a;--on:#111418;--blue:#6cb0ff;--orange:#ff9d5c;--green:#4fd1b0;--purple:#cba6ea;--grey:#a9b4be;
--good:#5fd394;--bad:#ff8f7d}}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px;max-width:952px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1,h2,h3{text-wrap:balance}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:19px;margin:32px 0 8px;padding-top:12px;border-top:1px solid var(--rule)}
h3{font-size:15px;margin:20px 0 2px}
p{margin:6px 0}ul{margin:6px 0;padding-left:22px}li{margin:4px 0}
.note{color:var(--soft);font-size:14px}
.cards{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr))}
.card{background:var(--card);border-radius:6px;border-left:6px solid var(--grey);padding:10px 14px}
.card h2{border:0;margin:0 0 4px;padding:0}
.met{border-left-color:var(--good)}.missed{border-left-color:var(--bad)}
.met h2{color:var(--good)}.missed h2{color:var(--bad)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:8px 0}
dt{color:var(--soft)}dd{margin:0}
figure{margin:8px 0 20px}figcaption{color:var(--soft);font-size:14px}
.keys{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;padding:0;margin:4px 0}
.keys li{display:flex;align-items:center;gap:6px;margin:0;font-size:14px}
.keys svg{width:30px;height:16px;flex:none}
svg.wide,svg.narrow,svg.steps{display:block;width:100%;height:auto}
svg.narrow{display:none}
.grid-of-steps{display:grid;gap:8px 24px;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr))}
.grid-of-steps figure{max-width:410px}
@media screen and (max-width:880px){svg.wide{display:none}svg.narrow{display:block;max-width:520px}}
text{font-size:13px;fill:var(--ink);paint-order:stroke;stroke:var(--page);stroke-width:4px;stroke-linejoin:round}
.tick{fill:var(--soft);font-variant-numeric:tabular-nums}.strong{font-weight:600}
.grid{stroke:var(--rule);stroke-width:1}.axis{stroke:var(--soft);stroke-width:1}
.target{stroke:var(--bad);stroke-width:2;stroke-dasharray:2 4}
.whisker{stroke:var(--ink);stroke-width:1.5}.marker{fill:var(--ink)}
.part{stroke:var(--page);stroke-width:1}
.client{fill:var(--blue)}.connection{fill:var(--orange)}.network{fill:var(--grey)}
.venue,.before{fill:var(--green)}.after{fill:var(--purple)}.unknown{fill:url(#hatch);stroke:var(--soft)}
.hatch{stroke:var(--soft);stroke-width:2}
.on-client,.on-connection,.on-network,.on-venue,.on-before,.on-after{fill:var(--on);stroke:none}
.rest-warm{--own:var(--blue)}.rest-cold{--own:var(--orange)}.ws-warm{--own:var(--green)}.ws-cold{--own:var(--purple)}
.stairs{fill:none;stroke:var(--own);stroke-width:2}
.rest-cold.stairs{stroke-dasharray:7 4}.ws-warm.stairs{stroke-dasharray:12 3}.ws-cold.stairs{stroke-dasharray:3 3}
.dot{fill:var(--own);stroke:var(--page);stroke-width:.75}.answered{fill:var(--own);opacity:.85}
.confirmed{fill:var(--own);opacity:.4}
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums;margin:6px 0 16px}
caption{text-align:left;font-weight:600;padding:4px 0}
th,td{padding:3px 6px;text-align:right;border-bottom:1px solid var(--rule);font-weight:400;overflow-wrap:normal}
th:first-child{text-align:left}thead th{color:var(--soft)}
tr.total th,tr.total td{font-weight:600}
.scrolled{overflow-x:auto}
@media screen and (max-width:480px){table{font-size:12px}th,td{padding:3px 3px}}
@media print{body{max-width:none;padding:0;font-size:12px}h2{break-after:avoid}
figure,.card,table{break-inside:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
