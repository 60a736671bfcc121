-- What coverage.lua counted as a report: files in order, with percentages, and what never ran.

local coverage = require "testing.coverage"

local host = host

local covered = {}

local SHIPPED = "^moonboot/"

-- The file among `found` that is the shipped policy of this name: its name ends so, and its text
-- is the same.
local function own_name(name, text, found, read)
    local tail = name:gsub(SHIPPED, "/")
    for _, path in ipairs(found) do
        if path:sub(-#tail) == tail and read(path) == text then
            return path
        end
    end
end

-- Files by the names that they are reported under. Policies that come with moonboot are counted
-- only where they are among what is tested; files of Lua that no test loads are counted too.
local function settle(data, found, tests, read)
    local files = {}
    local function add(name, file)
        local both = files[name] and coverage.merge({ files = { [name] = files[name] }, rules = {}, documents = {} },
                                                    { files = { [name] = file }, rules = {}, documents = {} })
        files[name] = both and both.files[name] or file
    end
    local own = {}
    for name, file in pairs(data.files) do
        if name:find(SHIPPED) then
            own[name] = own_name(name, host.policy((name:gsub(SHIPPED, ""):gsub("%.lua$", ""):gsub("/", "."))), found,
                                 read)
            if own[name] then
                add(own[name], file)
            end
        else
            add(name, file)
        end
    end
    for _, path in ipairs(found) do
        local lines = path:find "%.lua$" and not tests[path] and not files[path]
                      and host.cli.lines(read(path) or "", "@" .. path)
        if lines and #lines > 0 then
            local counts = {}
            for i in ipairs(lines) do
                counts[i] = 0
            end
            files[path] = { lines = lines, counts = counts, unloaded = true }
        end
    end
    return files, own
end

local function percent(hit, of)
    return of == 0 and 100 or hit * 100 / of
end

-- "3, 7-9" of the lines that never ran.
local function ranges(file)
    local parts, from, last = {}, nil, nil
    local function close()
        if from then
            parts[#parts + 1] = from == last and tostring(from) or from .. "-" .. last
        end
        from = nil
    end
    for i, line in ipairs(file.lines) do
        if file.counts[i] > 0 then
            close()
        else
            from, last = from or line, line
        end
    end
    close()
    return table.concat(parts, ", ")
end

local function sorted(set, less)
    local list = {}
    for _, each in pairs(set) do
        list[#list + 1] = each
    end
    table.sort(list, less)
    return list
end

local function plural(n, word)
    return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

-- data -> { files = list of { name, lines, hit, percent, missing, unloaded, file }, lines, hit,
-- percent, total (in words), rules = { total, missed = list }, documents = the same }. `found`: all
-- files at and below the paths that are tested; `tests`: set of the test files; `read`: a file's text by name.
function covered.report(data, found, tests, read)
    local files, own = settle(data, found, tests, read)
    local report = { files = {}, lines = 0, hit = 0 }
    for name, file in pairs(files) do
        local hit = 0
        for _, count in ipairs(file.counts) do
            hit = hit + (count > 0 and 1 or 0)
        end
        table.insert(report.files, {
            name = name, lines = #file.lines, hit = hit, percent = percent(hit, #file.lines), missing = ranges(file),
            unloaded = file.unloaded, file = file, text = file.text or read(name),
        })
        report.lines, report.hit = report.lines + #file.lines, report.hit + hit
    end
    table.sort(report.files, function(a, b)
        return a.name < b.name
    end)
    report.percent = percent(report.hit, report.lines)
    report.total = ("%.1f %% of %s in %s"):format(report.percent, plural(report.lines, "line"),
                                                  plural(#report.files, "file"))
    local function missed(kind, less, counts)
        local total, list = 0, {}
        for _, each in ipairs(sorted(data[kind], less)) do
            if counts(each) then
                total = total + 1
                list[#list + 1] = each.hits == 0 and each or nil
            end
        end
        report[kind] = { total = total, missed = list }
    end
    missed("rules", function(a, b)
        if a.file ~= b.file then
            return a.file < b.file
        elseif a.line ~= b.line then
            return a.line < b.line
        end
        return a.name < b.name
    end, function(rule)
        rule.file = own[rule.file] or rule.file
        return not rule.file:find(SHIPPED)
    end)
    missed("documents", function(a, b)
        return a.owner .. "\0" .. a.name < b.owner .. "\0" .. b.name
    end, function()
        return true
    end)
    return report
end

local MOST = 20

local function add_missed(lines, what, kind, line_of)
    if #kind.missed == 0 then
        return
    end
    lines[#lines + 1] = ("  %d of %d %s:"):format(#kind.missed, kind.total, what)
    for i = 1, math.min(#kind.missed, MOST) do
        lines[#lines + 1] = "    " .. line_of(kind.missed[i])
    end
    if #kind.missed > MOST then
        lines[#lines + 1] = ("    and %d more"):format(#kind.missed - MOST)
    end
end

-- For people.
function covered.text(report)
    local lines = { "coverage" }
    for _, file in ipairs(report.files) do
        lines[#lines + 1] = ("  %5.1f %%  %9s  %s%s"):format(
            file.percent, file.hit .. "/" .. file.lines, file.name,
            file.unloaded and ": no test loads it" or file.missing ~= "" and ": " .. file.missing or "")
    end
    add_missed(lines, "rules never decided", report.rules, function(rule)
        return ('%s:%d: rule "%s"'):format(rule.file, rule.line, rule.name)
    end)
    add_missed(lines, "documents were never rendered", report.documents, function(document)
        return ('%s: document "%s"'):format(document.owner, document.name)
    end)
    lines[#lines + 1] = "  " .. report.total
    return table.concat(lines, "\n") .. "\n"
end

-- For the JSON of results.
function covered.plain(report)
    local plain = { percent = report.percent, lines = report.lines, hit = report.hit, files = {} }
    for i, file in ipairs(report.files) do
        plain.files[i] = { name = file.name, lines = file.lines, hit = file.hit, percent = file.percent,
                           missing = file.missing }
    end
    for _, kind in ipairs { "rules", "documents" } do
        plain[kind] = { total = report[kind].total, missed = report[kind].missed }
    end
    return plain
end

-- lcov's tracefile, as genhtml, Codecov and editors read it.
function covered.lcov(report)
    local out = {}
    for _, file in ipairs(report.files) do
        out[#out + 1] = "TN:\nSF:" .. file.name .. "\n"
        for i, line in ipairs(file.file.lines) do
            out[#out + 1] = ("DA:%d,%d\n"):format(line, file.file.counts[i])
        end
        out[#out + 1] = ("LF:%d\nLH:%d\nend_of_record\n"):format(file.lines, file.hit)
    end
    return table.concat(out)
end

return covered
