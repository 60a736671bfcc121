-- A decision as people and programs read it, and what its machine is sent.

local escape = require "escape"
local json = require "cli.json"
local live = require "cli.live"
local outcome = require "outcome"
local problems = require "problems"
local simulate = require "simulate"

local show = {}

-- JSON's order.
show.order = {
    "rule", "verdict", "profile", "why", "url", "kernel", "initrd", "args", "verify", "vars", "menu", "needs", "error",
    "logged", "render",
}

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

-- The names of formats, besides config/NAME.
function show.format_names()
    local names = {}
    for name in pairs(RENDERERS) do
        names[#names + 1] = name
    end
    table.sort(names)
    return names
end

-- "ipxe,config/user-data" as a list | nil, problem.
function show.formats(text)
    local formats = {}
    for format in (text or ""):gmatch "[^,]+" do
        if not RENDERERS[format] and not format:find "^config/." then
            return nil, ("there is no rendering %s%s"):format(problems.show(format), problems.hint(format, RENDERERS))
        end
        formats[#formats + 1] = format
    end
    return formats
end

-- What the machine is sent -> text or data (nil: nothing), problem.
local function render(policy, who, format)
    local document = format:match "^config/(.+)$"
    if document then
        return simulate.config(policy, who, document)
    end
    return RENDERERS[format](policy, who)
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

-- The decision as data, with what is rendered. `options.logged`: what a log says was decided;
-- `options.network`: as live.lua has it.
function show.describe(policy, who, decision, formats, options)
    local about = mark_lists(outcome.facts(decision))
    about.logged = options.logged
    for _, format in ipairs(formats) do
        local problem
        about.render = about.render or {}
        about.render[format], problem = live.run(options.network, render, policy, who, format)
        about.error = about.error or problem
    end
    return about
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

local function write_vars(vars)
    local names = {}
    for name in pairs(vars or {}) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        local value = vars[name]
        names[i] = name .. " = " .. (type(value) == "table" and escape.json(value) or tostring(value))
    end
    lines("vars", names)
end

-- An entry of a menu in a few words.
local function entry_text(entry)
    local text = entry.profile or entry.verdict
    if entry.needs then
        return ("not known yet (%s)"):format(entry.needs)
    elseif entry.error then
        return ("fails: %s; instead: %s"):format(entry.error, text)
    end
    return text
end

-- Did the policy fail, or what it has for an entry of its menu?
function show.failed(about)
    for _, entry in ipairs(about.menu and about.menu.entries or {}) do
        if entry.error and not entry.needs then
            return true
        end
    end
    return about.error ~= nil
end

function show.write(about)
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
    if about.verify then
        line("verify", "by iPXE, before it boots")
    end
    write_vars(about.vars)
    local entries = {}
    for i, entry in ipairs(about.menu and about.menu.entries or {}) do
        entries[i] = ("%s%s: %s"):format(i == about.menu.default and "* " or "  ", entry.label,
                                         entry_text(entry))
    end
    lines("menu", entries)
    for _, key in ipairs { "needs", "error" } do
        if about[key] then
            line(key, about[key])
        end
    end
    if about.logged then
        line("logged", ("%s: %s, by %s"):format(about.logged.time, about.logged.verdict or "?",
            about.logged.rule and "rule " .. problems.show(about.logged.rule) or "no rule"))
        if about.logged.cut then
            line("", "the line has not all of the machine's facts")
        end
    end
end

function show.write_renderings(about, formats)
    for _, format in ipairs(formats) do
        local text = about.render[format]
        if text then
            host.cli.write("\n" .. format .. ":\n")
            host.cli.write(type(text) == "string" and text or json.encode(text) .. "\n")
        end
    end
end


return show
