"""How the drawing looks: quiet, legible, in the colours that the page itself has, light and dark."""

from __future__ import annotations

STYLE = """
.mlops { font: 14px/1.5 system-ui, sans-serif; border: 1px solid var(--border-color-primary, #e4e4e7);
  border-radius: 10px; padding: 18px 20px; color: var(--body-text-color, #1b1b1b); overflow-wrap: anywhere;
  --line: var(--border-color-primary, #e4e4e7); --soft: var(--background-fill-secondary, #fafafa);
  --quiet: var(--body-text-color-subdued, #6b6b6b); }
.mlops h3 { font-size: 14px; font-weight: 600; margin: 1.4em 0 .5em; color: inherit; }
.mlops p { margin: .4em 0; } .mlops .quiet { color: var(--quiet) !important; font-size: 12.5px; }
.mlops .head { display: flex; flex-wrap: wrap; gap: .8rem 2rem; justify-content: space-between;
  border-bottom: 1px solid var(--line); padding-bottom: .8rem; }
.mlops .run { font: 600 15px ui-monospace, monospace; }
.mlops dl { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .4rem 0 0; }
.mlops dt { color: var(--quiet) !important; font-size: 12px; } .mlops dd { margin: 0; }
.mlops .meter { display: flex; flex-direction: column; min-width: 11rem; }
.mlops .meter span { color: var(--quiet) !important; font-size: 12px; }
.mlops progress { width: 100%; height: 6px; margin: .3rem 0; accent-color: #1f6feb; }
.mlops .told { margin: .8rem 0 0 !important; padding: .5rem .8rem .5rem 1.8rem; background: var(--soft);
  border: 1px solid var(--line); border-radius: 6px; list-style: disc; }
.mlops .result { margin-top: .8rem; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 8px; }
.mlops .score b { font-size: 26px; } .mlops meter { width: 9rem; vertical-align: middle; }
.mlops table { border-collapse: collapse; width: 100%; margin: 0; }
.mlops th, .mlops td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border: 0 !important; }
.mlops table, .mlops tr { border: 0 !important; background: none !important; }
.mlops table:not(.lines) tr + tr td { border-top: 1px solid var(--line) !important; }
.mlops th { color: var(--quiet) !important; font-weight: 400; font-size: 12px; }
.mlops .checks td:first-child { white-space: nowrap; font-family: ui-monospace, monospace; font-size: 12.5px; }
.mlops .verdict { font-weight: 600; white-space: nowrap; }
.mlops .pass { color: #19703a; } .mlops .warn { color: #8a5a00; } .mlops .fail { color: #b3261e; }
.mlops .not_applicable { color: var(--quiet); }
.dark .mlops .pass { color: #6fcc8b; } .dark .mlops .warn { color: #e0b050; } .dark .mlops .fail { color: #ff8a80; }
.mlops .problem { color: #b3261e; border-left: 3px solid currentColor; padding-left: .7rem; }
.dark .mlops .problem { color: #ff8a80; }
.mlops .listing, .mlops pre { max-height: 26rem; overflow: auto; border: 1px solid var(--line); border-radius: 6px;
  background: var(--soft); margin: .3rem 0; }
.mlops pre { padding: .6rem .8rem; font: 12.5px/1.55 ui-monospace, monospace; white-space: pre-wrap; }
.mlops .listing td { font: 12.5px/1.55 ui-monospace, monospace; white-space: pre-wrap; padding: 0 .8rem; }
.mlops .listing td.n { color: var(--quiet); text-align: right; padding: 0 .6rem; user-select: none; width: 1%;
  white-space: nowrap; border-right: 1px solid var(--line) !important; }
.mlops .pictures { display: flex; flex-wrap: wrap; gap: .8rem; }
.mlops figure { margin: 0; background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .3rem .5rem; }
.mlops figcaption { font-size: 12px; color: #555 !important; }
.mlops svg { max-width: 100%; height: auto; display: block; }
.mlops .folder { border: 1px solid var(--line); border-radius: 6px; }
.mlops .folder > * { padding: .4rem .8rem; border-bottom: 1px solid var(--line); }
.mlops .folder > *:last-child { border-bottom: 0; }
.mlops .folder b { font-family: ui-monospace, monospace; font-size: 12.5px; }
.mlops .folder span, .mlops .folder i { color: var(--quiet) !important; font-size: 12.5px; }
.mlops .folder i { float: right; } .mlops summary { cursor: pointer; }
.mlops .file { padding-left: 1.6rem !important; }
.mlops > details { margin-top: 1.2em; }
.mlops > details > summary { color: var(--quiet) !important; font-size: 12.5px; }
.mlops .steps { padding-left: 2rem; list-style: decimal; margin: 0; }
.mlops .steps span { color: var(--quiet) !important; }
"""

PAGE_STYLE = """
.gradio-container { max-width: 1360px !important; }
.mlops-title h1 { font-size: 20px; font-weight: 650; margin: 0; }
.mlops-title p { margin: .1rem 0 0; color: var(--body-text-color-subdued); max-width: 52rem; }
.mlops-side { position: sticky; top: 12px; }
.mlops-side .wrap:has(> .wrap-inner) { border: 1px solid var(--input-border-color); border-radius: 8px; }
.mlops-side .wrap-inner input { border: 0 !important; padding: 6px 8px !important; }
.mlops-side [role="tabpanel"] { padding: 8px 0 0; }
.mlops-side .oe-actions label { width: 100%; font-size: 13px; }
"""
