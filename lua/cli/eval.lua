-- `moonboot eval`: one machine, one decision.

local engine = require "engine"
local escape = require "escape"
local json = require "cli.json"
local machine = require "machine"
local options = require "cli.options"
local outcome = require "outcome"
local path = require "path"
local simulate = require "simulate"

local HELP = [[
Usage: moonboot eval [OPTION]… POLICY.LUA [--FIELD VALUE]…
Says what the policy decides for a machine with these fields (mac, uuid, serial, arch, …).

  --label NAME=VALUE  the machine's label.NAME; may be given more than once
  --stage STAGE       what is known when: dhcp, tftp, or ipxe (default)
  --render FORMAT,…   also what the machine would be sent: dhcp, ipxe, grub, pxelinux,
                      pixiecore, config/NAME
  --json              as JSON
  -h, --help          print this

Exit codes: 0 decided, 1 the policy has problems or failed, 2 bad usage.
]]

local OPTIONS = {
    ["--json"] = "flag", ["--render"] = "value", ["--stage"] = "value", ["--help"] = "flag", ["-h"] = "flag",
}

-- JSON's order.
local ORDER = {
    "rule", "verdict", "profile", "why", "url", "kernel", "initrd", "args", "vars", "menu", "needs", "error", "render",
}

local function usage(problem)
    host.cli.warn("moonboot eval: " .. problem .. "\nTry: moonboot eval --help\n")
    return 2
end

local function hex(bytes)
    return (bytes:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end

-- What the machine is sent, and the problem of a policy whose decision cannot be written so.
local RENDERERS = {}

function RENDERERS.ipxe(policy, who)
    local reply, info = simulate.ipxe(policy, who)
    return reply.body, info and info.error
end

function RENDERERS.grub(policy, who)
    local reply, info = simulate.grub(policy, who)
    return reply.body, info and info.error
end

-- For a name that the policy leaves to the site's own files: which file.
function RENDERERS.pxelinux(policy, who)
    local reply, info = simulate.pxelinux(policy, who)
    return reply.body or { file = reply.path, error = reply.error }, info and info.error
end

function RENDERERS.pixiecore(policy, who)
    local reply, info = simulate.pixiecore(policy, who)
    return reply.body or { error = reply.error }, info and info.error
end

function RENDERERS.dhcp(policy, who)
    local reply = simulate.dhcp(policy, who)
    if not reply then
        return { silence = true }
    end
    local answer = { file = reply.dhcp.file, server = reply.dhcp.server, vendor_class = reply.dhcp.vendor_class }
    for code, bytes in pairs(reply.dhcp.options) do
        answer.options = answer.options or {}
        answer.options[tostring(code)] = hex(bytes)
    end
    return answer
end

local function formats_of(text)
    local formats = {}
    for format in (text or ""):gmatch("[^,]+") do
        if not RENDERERS[format] and not format:find("^config/.") then
            return nil, ("there is no rendering \"%s\""):format(format)
        end
        formats[#formats + 1] = format
    end
    return formats
end

-- The decision as data whose lists stay lists.
local function mark_lists(facts)
    facts.initrd = facts.initrd and json.list(facts.initrd)
    facts.args = facts.args and json.list(facts.args)
    for _, entry in ipairs(facts.menu and facts.menu.entries or {}) do
        mark_lists(entry)
    end
    return facts
end

local function describe(decision)
    return mark_lists(outcome.facts(decision))
end

local function line(label, value)
    host.cli.write(("%-8s %s\n"):format(label, value))
end

local function lines(label, values)
    for _, value in ipairs(values or {}) do
        line(label, value)
        label = ""
    end
end

local function write_text(about)
    line("verdict", about.verdict .. (about.profile and " " .. about.profile or ""))
    line("rule", about.rule and ("%s (%s:%d)"):format(about.rule.name, about.rule.file, about.rule.line)
                 or "none matched")
    for _, key in ipairs { "why", "url", "kernel" } do
        if about[key] then
            line(key, about[key])
        end
    end
    lines("initrd", about.initrd)
    lines("args", about.args)
    local names = {}
    for name in pairs(about.vars or {}) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        local value = about.vars[name]
        names[i] = name .. " = " .. (type(value) == "table" and escape.json(value) or tostring(value))
    end
    lines("vars", names)
    local entries = {}
    for i, entry in ipairs(about.menu and about.menu.entries or {}) do
        entries[i] = ("%s%s: %s"):format(i == about.menu.default and "* " or "  ", entry.label,
                                         entry.profile or entry.verdict)
    end
    lines("menu", entries)
    for _, key in ipairs { "needs", "error" } do
        if about[key] then
            line(key, about[key])
        end
    end
end

local function write_rendering(format, text)
    host.cli.write("\n" .. format .. ":\n")
    host.cli.write(type(text) == "string" and text or json.encode(text) .. "\n")
end

-- The fields of the machine, collected while options are read.
local function collect(fields)
    return function(name, value)
        if name == "--label" then
            local label, text = value:match("^([^=]+)=(.*)$")
            if not label then
                return "--label wants NAME=VALUE"
            end
            fields.label[label] = text
            return nil
        end
        local field = name:sub(3):gsub("-", "_")
        if name:sub(1, 2) ~= "--" or not machine.field(field) then
            return name:sub(1, 2) == "--" and machine.unknown_field(field) or "there is no option " .. name
        end
        fields[field] = value
    end
end

return function(args)
    local fields = { label = {} }
    local values, operands = options.parse(args, OPTIONS, collect(fields))
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    elseif #operands ~= 1 then
        return usage("name one policy")
    end
    local formats, problem = formats_of(values["--render"])
    if not formats then
        return usage(problem)
    end
    local who
    who, problem = machine.new(fields, values["--stage"] or "ipxe")
    if not who then
        return usage(problem)
    end

    local name = operands[1]
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return usage(("%s: %s"):format(name, message))
    end
    local policy, problems = engine.load { dir = dir, file = file, display = name }
    if not policy then
        host.cli.warn(table.concat(problems, "\n") .. "\n")
        return 1
    end
    policy.base = simulate.base
    local about = describe(engine.decide(policy, who))
    for _, format in ipairs(formats) do
        about.render = about.render or {}
        local document = format:match("^config/(.+)$")
        if document then
            about.render[format], problem = simulate.config(policy, who, document)
            about.error = about.error or problem
        else
            local failure
            about.render[format], failure = RENDERERS[format](policy, who)
            about.error = about.error or failure
        end
    end
    if values["--json"] then
        host.cli.write(json.encode(about, ORDER) .. "\n")
    else
        write_text(about)
        for _, format in ipairs(formats) do
            if about.render[format] then
                write_rendering(format, about.render[format])
            end
        end
    end
    return about.error and 1 or 0
end
