"""The page of :class:`tools.demo.page.ReportPage` (jinja2)."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { --ink: #1d2430; --soft: #5f6b7a; --line: #e3e7ed; --accent: #4063d8;
        --page: #f6f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
       "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 20px; margin: 0 0 6px; }
.lead { color: var(--soft); max-width: 72ch; margin: 0; }
.facts { display: grid; gap: 12px; margin: 24px 0 8px;
         grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); }
.fact, section { background: #fff; border: 1px solid var(--line);
                 border-radius: 10px; }
.fact { padding: 14px 16px; }
.fact b { display: block; font-size: 22px; line-height: 1.25; }
.fact span { color: var(--soft); font-size: 13px; }
section { padding: 22px 24px; margin-top: 20px; }
section p { margin: 0 0 14px; max-width: 80ch; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 55%; font-size: 14px;
        font-variant-numeric: tabular-nums; }
th, td { padding: 8px 12px; border-bottom: 1px solid var(--line);
         text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 600; font-size: 13px;
           border-bottom: 2px solid var(--line); }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: #f8f9fc; }
td.best { font-weight: 700; color: var(--accent); }
figure { margin: 12px 0 0; }
figure > img { width: 100%; height: auto; display: block; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 8px; }
.pictures { display: grid; gap: 8px; }
.pictures div { font-size: 13px; font-weight: 600; color: var(--soft);
                text-align: center; align-self: end; }
.pictures img { width: 100%; display: block; border-radius: 6px; }
.command { margin: 14px 0 0; font-size: 14px; }
pre { background: #1d2430; color: #eef1f6; border-radius: 8px; margin: 4px 0 0;
      padding: 10px 14px; overflow-x: auto; white-space: pre-wrap;
      font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
{% if lead %}
<p class="lead">{{ lead }}</p>
{% endif %}
{% if facts %}
<div class="facts">
{% for name, value in facts.items() %}
<div class="fact"><b>{{ value }}</b><span>{{ name }}</span></div>
{% endfor %}
</div>
{% endif %}
{% for section in sections %}
<section>
{% if section.title %}
<h2>{{ section.title }}</h2>
{% endif %}
{% if section.text %}
<p>{{ section.text }}</p>
{% endif %}
{% for block in section.blocks %}
{% if block.kind == 'table' %}
<figure>
<div class="scroll"><table>
<thead><tr>{% for name in block.columns %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in block.rows %}
{% set number = loop.index0 %}
<tr>{% for cell in row %}<td{% if (number, loop.index0) in block.best %} class="best"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% if block.caption %}<figcaption>{{ block.caption }}</figcaption>{% endif %}
</figure>
{% elif block.kind == 'figure' %}
<figure><img src="{{ block.source }}" alt="{{ block.caption }}">
{% if block.caption %}<figcaption>{{ block.caption }}</figcaption>{% endif %}
</figure>
{% elif block.kind == 'pictures' %}
<figure>
<div class="pictures" style="grid-template-columns: repeat({{ block.columns|length }}, 1fr)">
{% for name in block.columns %}<div>{{ name }}</div>
{% endfor %}
{% for row in block.rows %}
{% for source in row %}<img src="{{ source }}" alt="{{ block.columns[loop.index0] }}">
{% endfor %}
{% endfor %}
</div>
{% if block.caption %}<figcaption>{{ block.caption }}</figcaption>{% endif %}
</figure>
{% elif block.kind == 'commands' %}
{% for text, command in block.commands %}
<div class="command">{{ text }}<pre>{{ command }}</pre></div>
{% endfor %}
{% endif %}
{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""  # noqa: E501
