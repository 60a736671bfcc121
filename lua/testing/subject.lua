-- What was found for a machine: the decision's facts, and what the machine would be sent, which is
-- rendered when somebody looks.

local problems = require "problems"
local show = require "testing.show"
local simulate = require "simulate"

local subject = {}

local Subject = {}
Subject.__index = Subject

-- What may be expected, and of what type, in the order in which it is reported.
subject.order = {
    "rule", "boot", "verdict", "why", "url", "kernel", "initrd", "args", "vars", "menu", "needs", "ipxe", "grub",
    "pxelinux", "pixiecore", "dhcp", "uefi_http", "config", "state", "took", "error",
}

subject.types = {}
for _, key in ipairs(subject.order) do
    subject.types[key] = "text"
end
for key in ("args initrd vars menu dhcp uefi_http config state"):gmatch "%S+" do
    subject.types[key] = "table"
end
subject.types.took = "number"

-- `facts`: the decision as plain data (outcome.lua). `world`: where it was made (world.lua).
function subject.new(policy, machine, facts, world)
    return setmetatable({ policy = policy, machine = machine, facts = facts, world = world, took = world.elapsed,
                          known = {} }, Subject)
end

-- What a request of the machine comes to; DHCP's is to be answered soon.
local function asked(self, request, ...)
    local soon = request == simulate.dhcp or request == simulate.uefi_http
    return self.world:again(soon, request, self.policy, self.machine, ...)
end

-- A document's text, or nil; that one failed is the policy's error.
function Subject:document(name)
    local text, problem, failed = asked(self, simulate.config, name)
    if failed then
        self.facts.error = self.facts.error or problem
    end
    return text
end

local function dhcp_of(reply)
    return reply and reply.dhcp
end

-- What keys look at, where it is not a fact of that name.
local look = {
    rule = function(self) return self.facts.rule and self.facts.rule.name end,
    boot = function(self) return self.facts.profile or self.facts.verdict end,
    vars = function(self) return self.facts.vars or {} end,
    ipxe = function(self) return asked(self, simulate.ipxe).body end,
    grub = function(self) return asked(self, simulate.grub).body end,
    pxelinux = function(self) return asked(self, simulate.pxelinux).body end,
    pixiecore = function(self) return asked(self, simulate.pixiecore).body end,
    dhcp = function(self) return dhcp_of((asked(self, simulate.dhcp))) end,
    uefi_http = function(self) return dhcp_of((asked(self, simulate.uefi_http))) end,
    took = function(self) return self.took end,
}

-- What there is behind a key, for what is wanted of it.
function Subject:get(key, wanted)
    if key == "config" then
        local texts = {}
        for name in pairs(wanted) do
            texts[name] = self:document(name)
        end
        return texts
    elseif key == "state" then
        local values = {}
        for name in pairs(wanted) do
            values[name] = self.world:remembers(name)
        end
        return values
    elseif not look[key] then
        return self.facts[key]
    elseif self.known[key] == nil then
        self.known[key] = look[key](self) or false
    end
    return self.known[key] or nil
end

-- As a function of a test sees it: `found.boot`, `found.ipxe`, `found.config["user-data"]`.
function Subject:view()
    local by_name = {
        config = setmetatable({}, { __metatable = "documents", __index = function(_, name)
            return self:document(name)
        end }),
        state = setmetatable({}, { __metatable = "state", __index = function(_, key)
            return self.world:remembers(key)
        end }),
    }
    return setmetatable({}, {
        __metatable = "found",
        __newindex = function()
            error("what was found cannot be changed", 2)
        end,
        __index = function(_, key)
            if not subject.types[key] then
                error(("nothing is found under %s%s"):format(problems.show(key),
                                                           problems.hint(key, subject.types)), 2)
            elseif by_name[key] then
                return by_name[key]
            end
            local value = self:get(key)
            return value
        end,
    })
end

--- As a text, for golden files -------------------------------------------------------------

local RENDERED = { "dhcp", "uefi_http", "ipxe", "grub", "pxelinux", "pixiecore" }

local function hex(bytes)
    return (bytes:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end

local function sorted(set)
    local keys = {}
    for key in pairs(set or {}) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    return keys
end

-- An offer, a line a value, its options in hexadecimal.
local function offer_text(offer)
    local lines = {}
    for _, key in ipairs { "file", "server", "vendor_class" } do
        if offer[key] then
            lines[#lines + 1] = key .. " = " .. tostring(offer[key])
        end
    end
    local codes = sorted(offer.options)
    table.sort(codes)
    for _, code in ipairs(codes) do
        lines[#lines + 1] = ("option %d = %s"):format(code, hex(offer.options[code]))
    end
    return table.concat(lines, "\n") .. "\n"
end

-- One rendering as the text of a golden file; nil when there is nothing.
function Subject:text(name)
    local document = name:match "^config/(.+)$"
    local value
    if document then
        value = self:document(document)
    else
        value = self:get(name)
    end
    return type(value) == "table" and offer_text(value) or value
end

local function facts_text(self)
    local lines = {}
    for _, key in ipairs { "rule", "boot", "why", "url", "kernel", "initrd", "args", "needs", "error" } do
        local value = self:get(key)
        for _, text in ipairs(type(value) == "table" and value or { value }) do
            lines[#lines + 1] = key .. " = " .. text
        end
    end
    for _, name in ipairs(sorted(self:get "vars")) do
        lines[#lines + 1] = "vars." .. tostring(name) .. " = " .. show.value(self:get("vars")[name])
    end
    for i, entry in ipairs(self.facts.menu and self.facts.menu.entries or {}) do
        lines[#lines + 1] = ("menu.%d%s = %s: %s"):format(i, i == self.facts.menu.default and " (default)" or "",
                                                          entry.label, entry.profile or entry.verdict)
    end
    return table.concat(lines, "\n") .. "\n"
end

-- The decision, everything that the machine could be sent, and its documents.
function Subject:everything(documents)
    local parts = { "--- decision\n", facts_text(self) }
    local function add(name)
        local text = self:text(name)
        parts[#parts + 1] = ("--- %s%s\n"):format(name, text and "" or ": nothing")
        parts[#parts + 1] = text and (text:find "\n$" and text or text .. "\n") or nil
    end
    for _, name in ipairs(RENDERED) do
        add(name)
    end
    for _, name in ipairs(sorted(documents)) do
        add("config/" .. name)
    end
    return table.concat(parts)
end

-- Is that the name of something that a golden file can have?
function subject.renders(name)
    for _, each in ipairs(RENDERED) do
        if each == name then
            return true
        end
    end
    return type(name) == "string" and name:find "^config/." ~= nil
end

subject.rendered = RENDERED

return subject
