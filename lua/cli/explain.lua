-- `moonboot explain`: why a machine is decided as it is.

local explain = require "explain"
local explain_text = require "cli.explain_text"
local json = require "cli.json"
local live = require "cli.live"
local options = require "cli.options"
local policy_file = require "cli.policy_file"
local show = require "cli.show"
local subject = require "cli.subject"

local HELP = [[
Usage: moonboot explain [OPTION]… POLICY|-c SITE.YAML [--FIELD VALUE]…
Says why the policy decides as it does for a machine: every rule in order, what it wants
beside what the machine has, what functions returned, and the time that each took.

]] .. policy_file.help .. subject.help .. live.help .. [[
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
for _, more in ipairs { subject.options, live.options, policy_file.options } do
    for name, kind in pairs(more) do
        OPTIONS[name] = kind
    end
end

local ORDER = { "machine", "stage", "decision", "us", "rules" }

local function usage(problem)
    host.cli.warn("moonboot explain: " .. problem .. "\nTry: moonboot explain --help\n")
    return 2
end

local function as_data(who, about, steps)
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
                result = explain_text.results[line.result] or "unknown",
            }
        end
    end
    return { machine = machine, stage = who.stage, decision = about, rules = rules,
             us = tonumber(("%.1f"):format(explain_text.total(steps))) }
end

return function(args)
    local fields = { label = {} }
    local values, operands = options.parse(args, OPTIONS, subject.collect(fields))
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local formats, problem = show.formats(values["--render"])
    if not formats then
        return usage(problem)
    end
    local policy
    policy, problem = policy_file.named(values, operands)
    if policy == false then
        return usage(problem)
    elseif not policy then
        host.cli.warn(problem .. "\n")
        return 1
    end
    local who, logged = subject.machine(fields, values, policy)
    if not who then
        return usage(logged)
    end
    local network = values["--network"]
    local decision, steps = live.run(network, explain.decide, policy, who, host.cli.clock)
    local about = show.describe(policy, who, decision, formats, { logged = logged, network = network })
    if values["--json"] then
        host.cli.write(json.encode(as_data(who, about, steps), ORDER) .. "\n")
    else
        explain_text.write(who, about, steps, values["--all"])
        show.write_renderings(about, formats)
    end
    return show.failed(about) and 1 or 0
end
