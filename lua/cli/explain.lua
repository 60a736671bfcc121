-- `moonboot explain`: why a machine is decided as it is.

local explain = require "explain"
local json = require "cli.json"
local options = require "cli.options"
local policy_file = require "cli.policy_file"
local problems = require "problems"
local show = require "cli.show"
local subject = require "cli.subject"

local HELP = [[
Usage: moonboot explain [OPTION]… POLICY.LUA [--FIELD VALUE]…
Says why the policy decides as it does for a machine: every rule in order, what it wants
beside what the machine has, what functions returned, and the time that each took.

]] .. subject.help .. [[
  --render FORMAT,…        also what the machine would be sent: dhcp, ipxe, grub, pxelinux,
                           pixiecore, config/NAME
  --all                    rules that the index left out one by one, and those that were
                           not reached, however many they are
  --json                   as JSON
  -h, --help               print this

Exit codes: 0 decided, 1 the policy has problems or failed, 2 bad usage.
]]

local OPTIONS = {
    ["--json"] = "flag", ["--all"] = "flag", ["--render"] = "value", ["--help"] = "flag", ["-h"] = "flag",
}
for name, kind in pairs(subject.options) do
    OPTIONS[name] = kind
end

local ORDER = { "machine", "stage", "decision", "us", "rules" }

local MANY = 8 -- rules in a row that are told in one line

local function usage(problem)
    host.cli.warn("moonboot explain: " .. problem .. "\nTry: moonboot explain --help\n")
    return 2
end

local RESULTS = { [true] = "yes", [false] = "no" }

local function write(format, ...)
    host.cli.write(format:format(...))
end

local function time(us)
    return us and ("%.1f µs"):format(us) or ""
end

-- Why the rule is where it is, in a few words.
local function outcome_text(step)
    local text = step.outcome
    if step.outcome == "no match" and not step.indexed then
        text = "no match, and the index leaves it out"
    elseif step.why and step.outcome ~= "no match" then
        text = text .. ": " .. step.why
    end
    return text
end

local function write_step(step)
    write("%s %s:%d, %s: %s%s\n", (step.outcome == "no match" or step.outcome == "not reached") and "  "
          or step.outcome == "no opinion" and "~ " or "->", step.file, step.line, problems.show(step.name),
          outcome_text(step), step.us and ("  (%s)"):format(time(step.us)) or "")
    for _, line in ipairs(step.match) do
        local result = RESULTS[line.result] or "?"
        if line.field == "match" then
            write("     %-3s  its match function said no\n", result)
        else
            write("     %-3s  %s: wanted %s, found %s\n", result, line.field, line.wanted, problems.show(line.found))
        end
    end
    if step.answer then
        write("     its function returned %s\n", step.answer)
    end
end

-- How many rules from number `i` on can be told in one line, and how it ends.
local function run_of(steps, i)
    local n, same = 0, nil
    while steps[i + n] do
        local step = steps[i + n]
        local kind = step.outcome == "not reached" and "not reached"
                     or step.outcome == "no match" and not step.indexed and "left out by the index"
        if not kind or same and kind ~= same then
            break
        end
        same, n = kind, n + 1
    end
    return n, same
end

local function write_steps(steps, all)
    local i = 1
    while steps[i] do
        local n, kind = run_of(steps, i)
        if n > MANY and not all then
            write("   %s:%d to %s:%d: %d rules, %s (--all shows them)\n", steps[i].file, steps[i].line,
                  steps[i + n - 1].file, steps[i + n - 1].line, n, kind)
            i = i + n
        else
            write_step(steps[i])
            i = i + 1
        end
    end
end

-- All of it as text.
local function write_text(who, about, steps, total, all)
    local known = {}
    for i, field in ipairs(explain.fields(who)) do
        known[i] = field[1] .. "=" .. field[2]
    end
    write("machine  %s\n", #known > 0 and table.concat(known, "  ") or "nothing is known of it")
    write("stage    %s\n\n", who.stage)
    write_steps(steps, all)
    write("\n")
    show.write(about)
    write("%-8s %s\n", "time", time(total))
end

local function as_data(who, about, steps, total)
    local machine = {}
    for _, field in ipairs(explain.fields(who)) do
        machine[field[1]] = field[2]
    end
    local rules = json.list {}
    for i, step in ipairs(steps) do
        rules[i] = {
            name = step.name, file = step.file, line = step.line, outcome = step.outcome, why = step.why,
            indexed = step.indexed, returned = step.answer, us = step.us and tonumber(("%.1f"):format(step.us)),
            match = json.list {},
        }
        for n, line in ipairs(step.match) do
            rules[i].match[n] = {
                field = line.field, wanted = line.wanted, found = line.found,
                result = RESULTS[line.result] or "unknown",
            }
        end
    end
    return { machine = machine, stage = who.stage, decision = about, rules = rules,
             us = tonumber(("%.1f"):format(total)) }
end

return function(args)
    local fields = { label = {} }
    local values, operands = options.parse(args, OPTIONS, subject.collect(fields))
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    elseif #operands ~= 1 then
        return usage("name one policy")
    end
    local formats, problem = show.formats(values["--render"])
    if not formats then
        return usage(problem)
    end
    local who, logged = subject.machine(fields, values)
    if not who then
        return usage(logged)
    end
    local policy
    policy, problem = policy_file.load(operands[1])
    if policy == false then
        return usage(problem)
    elseif not policy then
        host.cli.warn(problem .. "\n")
        return 1
    end
    local decision, steps = explain.decide(policy, who, host.cli.clock)
    local total = 0
    for _, step in ipairs(steps) do
        total = total + (step.us or 0)
    end
    local about = show.describe(policy, who, decision, formats, logged)
    if values["--json"] then
        host.cli.write(json.encode(as_data(who, about, steps, total), ORDER) .. "\n")
    else
        write_text(who, about, steps, total, values["--all"])
        show.write_renderings(about, formats)
    end
    return about.error and 1 or 0
end
