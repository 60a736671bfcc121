-- `moonboot diff`: which machines another policy would boot otherwise.

local changes = require "cli.changes"
local fleet = require "cli.fleet"
local json = require "json"
local options = require "cli.options"
local policies = require "cli.policies"
local utf8 = require "testing.utf8"

local HELP = [[
Usage: moonboot diff [OPTION]… OLD NEW --log FILE | --machines FILE | --pcap FILE
Puts machines to two policies, and says which would boot otherwise, grouped by change.
A policy is a file, a directory with policy.lua in it, a site.yaml, or REV:PATH of one of
these in git.

      --log FILE       a decision log (site.yaml: log.decisions); - is standard input
      --machines FILE  machines: an inventory or a list in YAML, JSON or CSV, or a machine
                       a line in JSON (.jsonl); -, and a pipe, can be any of these
      --pcap FILE      whoever asks in a capture
      --documents      documents are compared, too
      --all            all machines of each group, not some
      --jobs N         processes (default: one a core)
      --json           as JSON
  -h, --help           print this

Exit codes: 0 all would boot the same, 1 there are differences, 2 it could not run.
]]

local OPTIONS = {
    ["--log"] = "value", ["--machines"] = "value", ["--pcap"] = "value", ["--documents"] = "flag",
    ["--all"] = "flag", ["--jobs"] = "value", ["--json"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local SHOWN = 5
local FEW = 2000 -- machines that one process is done with before another is started

local function fail(problem)
    host.cli.warn("moonboot diff: " .. problem .. "\n")
    return 2
end

local function usage(problem)
    return fail(problem .. "\nTry: moonboot diff --help")
end

local CAPTURE = {
    http_ports = { 80, 8080 }, http_port = 8080, dhcp_port = 67, boot_port = 4011, tftp_port = 69,
}

local function source_of(values, policy)
    if values["--log"] then
        return fleet.log(values["--log"])
    elseif values["--machines"] then
        return fleet.machines(values["--machines"])
    end
    return fleet.capture(values["--pcap"], policy, CAPTURE)
end

-- A line on a terminal that is written over, for what takes long; and what takes it away.
local function progress()
    local start, shown = host.clock(), false
    return function(n)
        if host.cli.tty_err and host.clock() - start > 1e6 then
            shown = true
            host.cli.warn(("\r%d lines"):format(n))
        end
    end, function()
        host.cli.warn(shown and "\r\27[K" or "")
    end
end

-- What one process finds in its share of the machines.
local function work(source, sides, documents, share, shares, read)
    local found = changes.new(sides[1], sides[2], documents)
    local skipped = source.each(share, shares, function(key, name, fields)
        found:add(key, name, fields)
    end, share == 1 and read or function() end)
    return found:result(skipped)
end

-- The differences | nil, problem.
local function compare(source, sides, documents, jobs)
    local show, clear = progress()
    local results = {}
    if jobs == 1 then
        results[1] = work(source, sides, documents, 1, 1, show)
        clear()
        return changes.merge(results)
    end
    -- A message is a number of lines, or a result.
    local processes = host.cli.jobs(jobs, jobs, function(next_share, send)
        for share in next_share do
            send(json.encode(work(source, sides, documents, share, jobs, function(n)
                send(json.encode(n))
            end)))
        end
    end)
    local message, problem = processes:read()
    while message do
        local value = json.decode(message)
        if type(value) == "number" then
            show(value)
        else
            results[#results + 1] = value
        end
        message, problem = processes:read()
    end
    clear()
    if #results ~= jobs then
        return nil, problem or "a process ended early"
    end
    return changes.merge(results)
end

--- Output ----------------------------------------------------------------------------------

local function plural(n, word)
    return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function rule_text(rule)
    return rule and ('rule "%s" (%s:%d)'):format(rule.name, rule.file, rule.line) or "no rule matched"
end

local function heading(group)
    local what = group.old == group.new and group.old or group.old .. " -> " .. group.new
    local changed = table.concat(group.changed, ", ")
    if group.old == group.new then
        return ("%s, with other %s"):format(what, changed)
    end
    return what
end

local function write_group(group, all)
    local lines = { ("\n%s: %s"):format(plural(#group.machines, "machine"), heading(group)) }
    lines[2] = "    - " .. rule_text(group.old_rule)
    lines[3] = "    + " .. rule_text(group.new_rule)
    for i, each in ipairs(group.machines) do
        if i > SHOWN and not all then
            lines[#lines + 1] = ("    … and %d more"):format(#group.machines - SHOWN)
            break
        end
        lines[#lines + 1] = "    " .. each.name
        for _, text in ipairs(each.details or {}) do
            lines[#lines + 1] = "        " .. text
        end
    end
    for i, line in ipairs(lines) do -- what machines told is in them
        lines[i] = utf8.clean(line):gsub("[^%C\n]", "?"):gsub("\127", "?")
    end
    host.cli.write(table.concat(lines, "\n") .. "\n")
end

local function write_text(found, all)
    host.cli.write(("%d of %s would boot otherwise (%s)\n"):format(
        found.differ, plural(found.machines, "machine"), plural(found.decisions, "decision")))
    for _, group in ipairs(found.groups) do
        write_group(group, all)
    end
end

local function write_json(found, all, names)
    local groups = json.array()
    for i, group in ipairs(found.groups) do
        local machines = json.array()
        for j, each in ipairs(group.machines) do
            if j <= SHOWN or all then
                machines[j] = { machine = each.name, details = each.details and json.array(each.details) or nil }
            end
        end
        groups[i] = {
            old = { verdict = group.old, rule = group.old_rule }, new = { verdict = group.new, rule = group.new_rule },
            changed = json.array(group.changed), machines = #group.machines, decisions = group.decisions,
            examples = machines,
        }
    end
    host.cli.write(utf8.clean(json.encode {
        old = names[1], new = names[2], machines = found.machines, decisions = found.decisions,
        differ = found.differ, skipped = found.skipped, groups = groups,
    }) .. "\n")
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    elseif #operands ~= 2 then
        return usage("name two policies, the old one and the new one")
    end
    local given = 0
    for _, name in ipairs { "--log", "--machines", "--pcap" } do
        given = given + (values[name] and 1 or 0)
    end
    if given ~= 1 then
        return usage(given == 0 and "say which machines: --log, --machines or --pcap"
                     or "only one of --log, --machines and --pcap may be given")
    end
    local jobs = math.min(host.cli.cores, 64)
    if values["--jobs"] then
        jobs = tonumber(values["--jobs"])
    end
    if not jobs or jobs < 1 or jobs > 64 or jobs % 1 ~= 0 then
        return usage("--jobs: expected 1 to 64")
    end
    local sides = {}
    for i, name in ipairs(operands) do
        local policy, problems = policies.open(name)
        if not policy then
            host.cli.warn(table.concat(problems, "\n") .. "\n")
            return 2
        end
        sides[i] = policy
    end
    local source, problem = source_of(values, sides[1])
    if not source then
        return fail(problem)
    elseif source.alone or source.count and source.count < FEW then
        jobs = 1
    end
    local found
    found, problem = compare(source, sides, values["--documents"], jobs)
    if not found then
        return fail(problem)
    end
    if values["--json"] then
        write_json(found, values["--all"], operands)
    else
        write_text(found, values["--all"])
    end
    if found.skipped > 0 then
        host.cli.warn(("moonboot diff: %s of the log cannot be decided again: no facts, or not all of them\n"):format(
            plural(found.skipped, "line")))
    end
    return found.differ > 0 and 1 or 0
end
