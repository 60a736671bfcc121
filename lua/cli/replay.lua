-- `moonboot replay`: recorded packets through a policy, by the way that the service goes.

local answers = require "cli.answers"
local json = require "json"
local live = require "cli.live"
local options = require "cli.options"
local policies = require "cli.policies"
local routes = require "routes"

local HELP = [[
Usage: moonboot replay [OPTION]… CAPTURE
Puts the requests of a capture (pcap or pcapng; - is standard input) to a policy, and says
for each who asks, for what, what is decided by which rule, and what is answered: DHCP
on ports 67 and 4011, TFTP, HTTP. Where neither a site nor a policy is named, the site is
the site.yaml here; else the policy is the policy.lua here; else the site is
/etc/moonboot/site.yaml.

  -c, --config FILE      the site: its policy, ports, address, directories
      --policy POLICY    the policy: a file, a directory with policy.lua in it, a
                         site.yaml, or REV:PATH of one in git (default: the site's)
      --diff POLICY      show only what this policy would decide or answer otherwise
      --write FILE       write what would be answered as a capture
      --server ADDRESS   this host's address (default: the site's, or the one that
                         the capture's clients ask)
      --interface NAME   where the packets came in
      --http-port PORT   of HTTP in the capture; may be given as a list, with commas
                         (default: the site's, or 80 and 8080)
      --json             a line of JSON for each request
]] .. live.help .. [[
  -h, --help             print this

Exit codes: 0 replayed; 1 the policy failed for a request, or with --diff something
differs; 2 it could not run.
]]

local OPTIONS = {
    ["--config"] = "value", ["-c"] = "value", ["--policy"] = "value", ["--diff"] = "value",
    ["--write"] = "value", ["--server"] = "value", ["--interface"] = "value",
    ["--http-port"] = "value", ["--json"] = "flag", ["--network"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local function fail(problem)
    host.cli.warn("moonboot replay: " .. problem .. "\n")
    return 2
end

local function usage(problem)
    return fail(problem .. "\nTry: moonboot replay --help")
end

-- Ports as "80,8080" -> list | nil.
local function ports_of(text)
    local list = {}
    for word in (text .. ","):gmatch "([^,]*)," do
        local port = word:find "^%d+$" and tonumber(word)
        if not port or port < 1 or port > 65535 or #list == 16 then
            return nil
        end
        list[#list + 1] = port
    end
    return list
end

-- The site.yaml that is meant; nil: there is none.
local function config_of(values)
    local config = values["--config"] or values["-c"]
    if config or values["--policy"] then
        return config
    end
    config = host.cli.site_name()
    local here = host.cli.find(config)
    return here and (not config:find "/" or not host.cli.find "policy.lua") and config or nil
end

-- What capture files are opened with, and the name of the policy | nil, problem.
local function settings_of(values)
    local site = {}
    local config = config_of(values)
    if config then
        local list
        site, list = host.cli.site(config)
        if not site then
            return nil, table.concat(list, "\n")
        end
    end
    local ports = values["--http-port"] and ports_of(values["--http-port"])
    if values["--http-port"] and not ports then
        return nil, ('--http-port: "%s" is no port, and no list of up to 16'):format(values["--http-port"])
    elseif values["--server"] and not host.ip(values["--server"]) then
        return nil, ('--server: "%s" is no IPv4 address'):format(values["--server"])
    end
    return {
        http_ports = ports or site.http_ports or { 80, 8080 },
        http_port = site.http_ports and site.http_ports[1] or 8080,
        dhcp_port = site.dhcp_port or 67, boot_port = site.boot_port or 4011, tftp_port = site.tftp_port or 69,
        server = values["--server"] or site.advertise, interface = values["--interface"],
        tftp_root = site.tftp_root, assets = site.assets,
    }, values["--policy"] or site.policy or "policy.lua"
end

-- The address of ours: what is asked by DHCP at 4011, by TFTP or HTTP. Broadcasts do not tell.
local function find_server(name, settings)
    local capture = name ~= "-" and host.cli.capture(name, settings)
    local server
    local message = capture and capture:next()
    while message and not server do
        local address, port = message.to:match "^(.*):(%d+)$"
        if message.request and not (message.protocol == "dhcp" and tonumber(port) == settings.dhcp_port) then
            server = address
        end
        message = capture:next()
    end
    if capture then
        capture:close()
    end
    return server or "10.0.0.2" -- as in `moonboot eval`
end

-- What one policy makes of a message: { info =, reply =, answer = }.
local function decide(policy, capture, message, network)
    if not message.request then
        return { answer = capture:refuse(), why = message.why }
    end
    local good, reply, info = pcall(live.run, network, routes.handle, policy, message.request)
    if not good then
        reply, info = { error = "the policy failed", reason = "failed" }, { error = tostring(reply) }
        reply = message.protocol ~= "dhcp" and reply or nil
    end
    local made = { info = info or {}, reply = reply }
    local problem
    made.answer, problem = capture:answer(reply)
    if not made.answer then
        made.answer, made.info.error = { kind = "silence" }, made.info.error or problem
    end
    return made
end

local function replay(name, settings, sides, values)
    local capture, problem = host.cli.capture(name, settings)
    if not capture then
        return fail(problem)
    end
    local count = { requests = 0, answered = 0, differ = 0, failed = 0 }
    local message
    message, problem = capture:next()
    while message do
        local made = {}
        for i, policy in ipairs(sides) do
            made[i] = decide(policy, capture, message, values["--network"])
            count.failed = count.failed + (made[i].info and made[i].info.error and 1 or 0)
        end
        local differs = made[2] and not answers.same(made[1], made[2])
        count.requests = count.requests + 1
        count.answered = count.answered + (made[1].answer.kind ~= "silence" and 1 or 0)
        count.differ = count.differ + (differs and 1 or 0)
        if differs or not made[2] then
            if values["--json"] then
                host.cli.write(json.encode(answers.data(message, made)) .. "\n")
            else
                host.cli.write(answers.text(message, made))
            end
        end
        message, problem = capture:next()
    end
    local over = capture:counts()
    local written, unwritten = capture:close()
    if not values["--json"] then
        host.cli.write(answers.summary(count, #sides > 1))
    end
    for _, line in ipairs(answers.passed_over(over)) do
        host.cli.warn(("moonboot replay: %s: %s\n"):format(name, line))
    end
    if problem then
        return fail(("%s: %s"):format(name, problem))
    elseif not written then
        return fail(("%s: %s"):format(values["--write"], unwritten))
    end
    return (#sides > 1 and count.differ > 0 or #sides == 1 and count.failed > 0) and 1 or 0
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    elseif #operands ~= 1 then
        return usage("name one capture")
    elseif values["--diff"] and values["--write"] then
        return usage("--diff shows two policies' answers, --write writes one's")
    end
    local settings, name = settings_of(values)
    if not settings then
        return fail(name)
    elseif not (values["--policy"] or config_of(values) or host.cli.find(name)) then
        return usage(("there is no %s here: name a site with -c or a policy with --policy"):format(name))
    end
    local sides = {}
    for i, each in ipairs { name, values["--diff"] } do
        local policy, problems = policies.open(each)
        if not policy then
            host.cli.warn(table.concat(problems, "\n") .. "\n")
            return 2
        end
        sides[i] = policy
    end
    settings.server = settings.server or find_server(operands[1], settings)
    settings.write = values["--write"]
    return replay(operands[1], settings, sides, values)
end
