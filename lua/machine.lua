-- A machine as policies see it: what the values of its fields look like, and which are known.
--
-- A machine is a table of normalised values by field name. nil is a field that is
-- absent, or not known yet: at the "dhcp" and "tftp" stages little is. `false` is one
-- that is known to be absent although it could not be known at this stage.

local arch = require "arch"
local schema = require "fields"
local problems = require "problems"
local normalise = require "normalise"

local machine = {}

machine.arch_name = arch.name

-- The list of its fields, and the same by name (fields.lua).
machine.fields = schema.list
machine.names = schema.by_name
machine.field = schema.find
machine.unknown_field = schema.unknown

local by_name = schema.by_name

-- Is this field, of which nothing was said, one that cannot be known yet?
function machine.is_late(m, field)
    return field.late[m.stage] or false
end

local function set(m, name, value)
    local field = by_name[name] or machine.field(name)
    if not field then
        return machine.unknown_field(name)
    elseif value == false then
        m[name] = false
        return nil
    end
    local normal, expected = normalise[field.type](value)
    if expected then
        return string.format("%s: found %s, expected %s", name, problems.told(value), expected)
    end
    m[name] = normal
    if field.label then
        m.label[field.label] = normal
    end
end

-- For keys that are set later, and have their room: a table that need not grow takes a fifth of the
-- time. Of a key with `nil` itself LuaJIT makes nothing.
local none = nil

-- A machine from field values in any notation -> machine | nil, problem. `stage`: how it
-- asks now ("dhcp", "tftp", "ipxe", …), or the field of that name, or "http".
-- Labels are in `label`, a table, and in fields "label.NAME"; the result has both.
function machine.new(fields, stage)
    local m = { stage = stage or fields.stage or "http", label = {},
                mac = none, uuid = none, serial = none, asset = none, manufacturer = none, product = none,
                hostname = none, domain = none, arch = none, arch_id = none, platform = none, buildarch = none,
                ip = none, gateway = none, interface = none, firmware = none,
                needs = none, base = none, client = none, trace = none, view = none }
    for name, value in pairs(fields) do
        local problem
        local field = by_name[name]
        local normal = field and field.quick and field.quick(value)
        if normal then
            m[name] = normal
        elseif name == "label" and type(value) == "table" then
            for label, text in pairs(value) do
                problem = problem or set(m, "label." .. tostring(label), text)
            end
        elseif name == "label" then
            problem = "label: found " .. problems.show(value) .. ", expected a table"
        elseif name ~= "stage" then
            problem = set(m, name, value)
        end
        if problem then
            return nil, problem
        end
    end
    return m
end

-- The same, without the fields that are malformed: labels are text and cannot be.
function machine.lenient(fields, stage)
    local m = { stage = stage, label = {} }
    for name, value in pairs(fields) do
        if name ~= "label" then
            set(m, name, value)
        end
    end
    for label, text in pairs(fields.label or {}) do
        set(m, "label." .. label, text)
    end
    return m
end

-- A machine of which DHCP tells, `firmware` and `features` found out. The core has made the rest
-- from the packet's bytes: texts apart there is no other way it could be written. All that there
-- will be stands here, what the engine keeps too.
function machine.of_dhcp(request, firmware, features)
    local id, text, lower = request.arch_id, normalise.text, normalise.lower
    return {
        stage = "dhcp", label = {}, firmware = firmware, features = features,
        mac = request.mac, uuid = request.uuid, ip = request.ip, relay = request.relay,
        interface = request.interface, arch = id and arch.name(id), arch_id = id,
        hostname = request.hostname and lower(request.hostname),
        vendor_class = request.vendor_class and text(request.vendor_class),
        user_class = request.user_class and text(request.user_class),
        circuit_id = request.circuit_id and text(request.circuit_id),
        remote_id = request.remote_id and text(request.remote_id),
        base = none, client = none, needs = none, trace = none, view = none,
    }
end

-- One that asks TFTP, by what its name for a file and its packet tell.
function machine.of_tftp(request, mac)
    return {
        stage = "tftp", label = {}, mac = mac, ip = request.client,
        interface = request.interface, base = none, client = none, needs = none, trace = none, view = none,
    }
end

-- What is behind a view: of a machine, or of its labels. Weak both ways, as a machine has
-- its view.
local behind = setmetatable({}, { __mode = "kv" })

function machine.not_known(m, name)
    return string.format("%s is not known yet at the %s stage", name, m.stage)
end

-- A policy reads what is not known yet: no decision can be made now. The field's name is
-- left in the machine, where a policy's pcall cannot swallow it.
local function unknown(m, name, level)
    m.needs = name
    error(machine.not_known(m, name), level + 1)
end

local read_only = "a machine cannot be changed"

local function labels_view(m)
    local view = setmetatable({}, {
        __metatable = "labels",
        __newindex = function()
            error(read_only, 2)
        end,
        __index = function(_, name)
            local value = m.label[name]
            if value == nil and by_name.label.late[m.stage] then
                unknown(m, "label." .. tostring(name), 2)
            end
            return value
        end,
    })
    behind[view] = m
    return view
end

-- What a policy that reads a field is told, in its own line where it may not be asked for. Fields
-- are named as in `match`, so that "label.NAME" is one.
function machine.read(m, name)
    local field = machine.field(name)
    if not field then
        error(machine.unknown_field(name), 3)
    elseif name == "label" then
        return labels_view(m)
    end
    local value = m[name]
    if value == nil and field.late[m.stage] then
        unknown(m, name, 3)
    elseif field.type == "set" and value then
        local copy = {}
        for member in pairs(value) do
            copy[member] = true
        end
        return copy
    end
    return value or nil
end

-- The machine as a policy's functions get it: read-only, and strict about names.
function machine.view(m)
    if not m.view then
        m.view = setmetatable({}, {
            __metatable = "machine",
            __newindex = function()
                error(read_only, 2)
            end,
            __index = function(_, name)
                local value = machine.read(m, name) -- no tail call: errors name the caller's caller
                return value
            end,
            __tostring = function()
                return machine.name(m)
            end,
        })
        behind[m.view] = m
    end
    return m.view
end

-- pairs over a view: the fields that are known, in order.
function machine.each(view)
    local m, i = behind[view], 0
    return function()
        while machine.fields[i + 1] do
            i = i + 1
            local name = machine.fields[i].name
            if m and m[name] then
                return name, view[name]
            end
        end
    end
end

-- What a view of a machine or of its labels shows, as a plain table; nil for any other value.
function machine.plain(view)
    local m = behind[view]
    if not m then
        return nil
    elseif view ~= m.view then
        return m.label
    end
    local fields = {}
    for name in pairs(by_name) do
        if m[name] and (name ~= "label" or next(m.label)) then
            fields[name] = m[name]
        end
    end
    return fields
end

-- The machine that a view shows; nil for any other value.
function machine.behind(view)
    local m = behind[view]
    return m and view == m.view and m or nil
end

-- The fields that are known, and its stage, as machine.new takes them.
function machine.facts(m)
    local fields = { stage = m.stage }
    for name in pairs(by_name) do
        if m[name] ~= nil and name ~= "label" then
            fields[name] = m[name]
        end
    end
    fields.label = next(m.label) and m.label or nil
    return fields
end

-- What to call it, in a log.
function machine.name(m)
    return m.mac or m.uuid or m.serial or m.ip or "a machine"
end

return machine
