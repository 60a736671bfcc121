-- A coverage report as one page of HTML that needs nothing else.

local utf8 = require "testing.utf8"

local STYLE = [[
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
body { color: #222; background: #fff; }
h1 { font-size: 1.4em; }
h2 { font-size: 1.1em; margin-top: 2em; }
table { border-collapse: collapse; }
td, th { padding: .15em 1em .15em 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; width: 8em; height: .7em; background: #e8b4b4; }
.bar i { display: block; height: 100%; background: #7cb87c; }
pre { margin: 0; overflow-x: auto; font: 12px/1.45 ui-monospace, monospace; }
pre { border: 1px solid #ddd; padding: .5em 0; }
pre span { display: block; padding: 0 1em; white-space: pre; min-height: 1.45em; }
pre b { display: inline-block; width: 9em; color: #999; font-weight: normal; user-select: none; }
.y { background: #e6f4e6; }
.n0 { background: #fbe3e3; }
summary { cursor: pointer; padding: .2em 0; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b; }
  a { color: #8ab4f8; }
  pre { border-color: #444; }
  .y { background: #1e3320; }
  .n0 { background: #452222; }
  .bar { background: #6b3434; }
  .bar i { background: #4c8a4c; }
}
]]

local function text(value)
    return utf8.xml(value, true)
end

local function source(file)
    local counts, out, number = {}, {}, 0
    for i, line in ipairs(file.file.lines) do
        counts[line] = file.file.counts[i]
    end
    for line in ((file.text or ""):gsub("\n$", "") .. "\n"):gmatch "(.-)\r?\n" do
        number = number + 1
        local count = counts[number]
        local class = count == nil and "" or count > 0 and ' class="y"' or ' class="n0"'
        out[#out + 1] = ("<span%s><b>%5d %8s</b>%s</span>"):format(class, number, count and count .. "×" or "",
                                                                   text(line))
    end
    return table.concat(out)
end

local function bar(percent)
    return ('<span class="bar"><i style="width:%.1f%%"></i></span>'):format(percent)
end

local function missed(out, title, kind, line_of)
    if kind.total == 0 then
        return
    end
    out[#out + 1] = ("<h2>%s: %d of %d</h2>\n"):format(title, #kind.missed, kind.total)
    if #kind.missed > 0 then
        out[#out + 1] = "<ul>\n"
        for _, each in ipairs(kind.missed) do
            out[#out + 1] = "<li>" .. text(line_of(each)) .. "</li>\n"
        end
        out[#out + 1] = "</ul>\n"
    end
end

-- The page for a report of covered.lua.
return function(report)
    local out = {
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Coverage of policies</title>\n<style>\n',
        STYLE, "</style>\n",
        "<h1>" .. report.total .. "</h1>\n",
        '<table>\n<tr><th class="n">%</th><th></th><th class="n">lines</th><th>file</th></tr>\n',
    }
    for i, file in ipairs(report.files) do
        local row = '<tr><td class="n">%.1f</td><td>%s</td><td class="n">%d/%d</td>'
                    .. '<td><a href="#f%d">%s</a>%s</td></tr>\n'
        out[#out + 1] = row:format(file.percent, bar(file.percent), file.hit, file.lines, i, text(file.name),
                                   file.unloaded and " (no test loads it)" or "")
    end
    out[#out + 1] = "</table>\n"
    missed(out, "Rules that never decided", report.rules, function(rule)
        return ('%s:%d: rule "%s"'):format(rule.file, rule.line, rule.name)
    end)
    missed(out, "Documents that were never rendered", report.documents, function(document)
        return ('%s: document "%s"'):format(document.owner, document.name)
    end)
    out[#out + 1] = "<h2>Files</h2>\n"
    for i, file in ipairs(report.files) do
        out[#out + 1] = ('<details id="f%d"%s><summary>%s, %.1f %%</summary>\n<pre>%s</pre></details>\n'):format(
            i, file.hit < file.lines and " open" or "", text(file.name), file.percent, source(file))
    end
    out[#out + 1] = "</html>\n"
    return table.concat(out)
end
