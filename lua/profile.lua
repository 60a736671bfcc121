-- What a machine boots: a profile, and the parts that rules and profiles share.

local dhcp_words = require "dhcp_words"
local documents = require "documents"
local problems = require "problems"
local reader = require "reader"
local static_tftp = require "static_tftp"
local vars = require "vars"
local words = require "words"
local void = require "void"

local within = reader.within

local profile = {}

profile.keys = words.keys "Profile"

function profile.read_args(reading, value, path)
    return reading:list(path, value, reading.template,
                        'a list of texts, such as { "ip=dhcp" }')
end

local function read_var(reading, path, value, name)
    if not name:find("^[%a_][%w_]*$") then
        reading:problem(path, "%s: a var's name is letters, digits and _", reading.where(path))
    elseif value ~= void.value then
        local copy, problem = vars.check(value)
        if problem then
            reading:problem(path, "%s: %s", reading.where(path), problem)
        end
        return copy
    end
    return nil
end

function profile.read_vars(reading, value, path)
    return reading:map(path, value, read_var, "a table of names and values")
end

-- false: this machine may not have it.
local function read_file(reading, path, value)
    if value == false then
        return false
    end
    return reading:literal(path, value, "the name of a file, or false")
end

local function read_initrd(reading, path, value)
    local expected = "the name of a file, or a list of them"
    if type(value) == "table" then
        return reading:list(path, value, reading.template, expected)
    end
    return { reading:template(path, value, expected) }
end

-- What rules have too. `path`: the keys that lead to the body.
function profile.read_shared(reading, body, into, path)
    into.args = profile.read_args(reading, body.args, within(path, "args"))
    into.vars = profile.read_vars(reading, body.vars, within(path, "vars"))
    into.dhcp = dhcp_words.read_override(reading, within(path, "dhcp"), body.dhcp)
    into.files = reading:map(within(path, "files"), body.files, read_file,
                             "a table of names and the files they stand for")
    into.config = documents.read(reading, within(path, "config"), body.config)
    static_tftp.check(reading, path, into)
    reading:declare(into.vars)
    return into
end

-- Whether iPXE is to verify what it loads; nil for false.
local function read_verify(reading, value, path)
    if not reading:is(path, value, "boolean", "true or false") or not value then
        return nil
    end
    if reading.loader and reading.loader.unsigned then
        reading:problem(path, "%s: this site signs nothing that iPXE could verify: "
                        .. "write `signing: { cms_cert: …, cms_key: … }` into site.yaml", reading.where(path))
    end
    return true
end

-- A profile from its table, the word's own or one that `path` leads to. Templates are as
-- interpolate.lua's Scope:text gives them.
function profile.read(reading, body, path)
    path = path or {}
    reading:keys(path, body, profile.keys)
    local name = #path == 0 and reading.name or nil
    local result = { name = name, line = reading.line, said = name and "boot " .. name or "boot" }
    result.kernel = reading:template(within(path, "kernel"), body.kernel, "the name of a file")
    result.initrd = read_initrd(reading, within(path, "initrd"), body.initrd)
    result.verify = read_verify(reading, body.verify, within(path, "verify"))
    profile.read_shared(reading, body, result, path)
    if body.kernel == nil and not (result.dhcp and (result.dhcp.file or result.dhcp.menu)) then
        reading:problem(path, "%s has neither kernel nor dhcp.file: there is nothing to boot",
                        #path > 0 and reading.where(path) or reading.title)
    end
    return result
end

local verdicts = { disk = true, ignore = true, shell = true }

-- The profile of a name -> profile | nil, what is wrong.
function profile.find(profiles, name)
    local found = profiles[name]
    if found then
        return found
    elseif verdicts[name] then
        return nil, string.format("there is no profile %s (the verdict is written without quotes: %s)",
                                  problems.show(name), name)
    end
    return nil, string.format("there is no profile %s%s", problems.show(name),
                              problems.hint(name, profiles))
end

-- Two tables as one, the second's values before the first's; nil when neither is there.
function profile.merge(first, second)
    if not first or not second then
        return first or second or nil
    end
    local result = {}
    for key, value in pairs(first) do
        result[key] = value
    end
    for key, value in pairs(second) do
        result[key] = value
    end
    return result
end

-- Two `dhcp` tables as one; options one by one. A file and a loader say the same thing.
function profile.merge_dhcp(first, second)
    local result = profile.merge(first, second)
    if result and first and second then
        result.options = profile.merge(first.options, second.options)
        if second.loader and not second.file then
            result.file = nil
        end
    end
    return result
end

return profile
