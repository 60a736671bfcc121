-- `moonboot eval`: one machine, one decision.

local engine = require "engine"
local json = require "cli.json"
local live = require "cli.live"
local options = require "cli.options"
local policy_file = require "cli.policy_file"
local show = require "cli.show"
local subject = require "cli.subject"

local HELP = [[
Usage: moonboot eval [OPTION]… POLICY|-c SITE.YAML [--FIELD VALUE]…
Says what the policy decides for a machine.

]] .. policy_file.help .. subject.help .. live.help .. [[
  --render FORMAT,…        also what the machine would be sent: dhcp, ipxe, grub, pxelinux,
                           pixiecore, config/NAME
  --json                   as JSON
  -h, --help               print this

Exit codes: 0 decided, 1 the policy has problems or failed, 2 bad usage.
]]

local OPTIONS = { ["--json"] = "flag", ["--render"] = "value", ["--help"] = "flag", ["-h"] = "flag" }
for _, more in ipairs { subject.options, live.options, policy_file.options } do
    for name, kind in pairs(more) do
        OPTIONS[name] = kind
    end
end

local function usage(problem)
    host.cli.warn("moonboot eval: " .. problem .. "\nTry: moonboot eval --help\n")
    return 2
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
    local decision = live.run(network, engine.decide, policy, who)
    local about = show.describe(policy, who, decision, formats, { logged = logged, network = network })
    if values["--json"] then
        host.cli.write(json.encode(about, show.order) .. "\n")
    else
        show.write(about)
        show.write_renderings(about, formats)
    end
    return show.failed(about) and 1 or 0
end
