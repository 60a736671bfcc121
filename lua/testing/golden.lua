-- Expectations that stand in files: `golden = "rack12.golden"`, or a file for each rendering,
-- `golden = { ipxe = "rack12.ipxe" }`. `moonboot test --update-golden` writes them.

local lines_diff = require "testing.lines_diff"
local path = require "path"
local problems = require "problems"
local show = require "testing.show"
local subject = require "testing.subject"

local host = host

local golden = {}

-- Why what stands behind `golden` is none, or nil.
function golden.problem(wanted)
    if type(wanted) == "string" and wanted ~= "" then
        return nil
    elseif type(wanted) ~= "table" or next(wanted) == nil or show.word_of(wanted) then
        return ("`expect.golden` is %s, and must be a file's name, or a table of renderings and files"):format(
            problems.show(wanted))
    end
    local names = {}
    for _, name in ipairs(subject.rendered) do
        names[name] = true
    end
    for name, file in pairs(wanted) do
        if not subject.renders(name) then
            return ("`expect.golden`: there is no rendering %s%s"):format(problems.show(name),
                                                                         problems.hint(name, names))
        elseif type(file) ~= "string" or file == "" then
            return ("`expect.golden.%s` is %s, and must be a file's name"):format(name, problems.show(file))
        end
    end
end

-- One file -> a difference, or nil; or nil and why it cannot be compared.
local function compare(suite, file, key, found, update)
    local wanted, message, missing = host.read(suite.dir, file)
    if not wanted and not missing then
        return nil, ("golden file %s: %s"):format(file, message)
    elseif wanted == found then
        return nil
    elseif update then
        local saved
        saved, message = host.cli.save(path.join(suite.directory, file), found, true)
        if saved == nil then
            return nil, ("golden file %s cannot be written: %s"):format(file, message)
        end
        suite.updated = suite.updated or {}
        table.insert(suite.updated, file)
        return nil
    elseif not wanted then
        return { key = key, expected = file .. ", which is not there", found = "(write it by --update-golden)" }
    end
    return { key = key, expected = file, found = "something else:\n" .. lines_diff.text(wanted, found) }
end

-- The list of differences | nil, why it cannot be compared. `documents`: names of those that
-- the machine has.
function golden.compare(suite, wanted, found, documents, update)
    local differences = {}
    local function add(file, key, text)
        local difference, problem = compare(suite, file, key, text, update)
        differences[#differences + 1] = difference
        return problem
    end
    if type(wanted) == "string" then
        local problem = add(wanted, "golden", found:everything(documents))
        return not problem and differences or nil, problem
    end
    local names = {}
    for name in pairs(wanted) do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local text = found:text(name)
        local problem
        if text then
            problem = add(wanted[name], "golden." .. name, text)
        else
            differences[#differences + 1] = { key = "golden." .. name, expected = wanted[name], found = "nothing" }
        end
        if problem then
            return nil, problem
        end
    end
    return differences
end

return golden
