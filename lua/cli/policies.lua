-- Policies as commands name them: a file, a bundle, a directory with policy.lua in it, a site.yaml, or any
-- of these in a revision of git, "REV:PATH".

local bundled = require "cli.bundled"
local engine = require "engine"
local path = require "path"

local policies = {}

local function load(name, display)
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return false, { ("%s: %s"):format(display, message) }
    end
    return engine.load { dir = dir, file = file, display = display }
end

-- The same of a site.yaml, whatever it is called.
local function resolve_site(name)
    local site, list = host.cli.site(name)
    if not site then
        return nil, list
    end
    if site.refused then
        return nil, site.refused
    elseif not site.policy then
        return nil, { ("%s: nothing has been fetched from %s yet"):format(name, site.fetched_from) }
    end
    return bundled.policy(site.policy), site
end

-- The policy's file, and the site, of what a file or directory is; nil and problems.
local function resolve(name)
    name = bundled.policy(name)
    if host.cli.opendir(name) then
        return name:gsub("(.)/+$", "%1") .. "/policy.lua"
    elseif name:find("%.ya?ml$") then
        return resolve_site(name)
    end
    return name
end

local function git(...)
    local good, output = host.cli.run { "git", ... }
    if good == nil then
        return nil, output
    end
    return good and output or nil, output:gsub("%s+$", "")
end

-- Takes a directory of a revision out of git into a temporary one -> its path | nil, message.
-- All that a policy can read is in its directory or below it.
local function take_out(revision, directory)
    local into, problem = host.cli.temporary()
    if not into then
        return nil, problem
    end
    local tar = into .. "/.tar"
    local tree = directory == "" and revision or revision .. ":" .. directory
    local top = (git("rev-parse", "--show-cdup") or ""):gsub("%s+$", "") -- "": here, or a bare repository
    local good, message = git("-C", top == "" and "." or top, "archive", "--format=tar", "-o", tar, tree)
    if good then
        local unpacked, output = host.cli.run { "tar", "-x", "-f", tar, "-C", into }
        good, message = unpacked, unpacked == nil and output or "tar: " .. tostring(output)
    end
    if not good then
        host.cli.run { "rm", "-rf", "--", into }
        return nil, message
    end
    return into
end

-- Like git itself, names in a revision start at the top of its tree, "./" at where we are.
local function from_git(name)
    local revision, inside = name:match("^([^:]+):(.*)$")
    local here = inside:match("^%./(.*)$")
    if here then
        local prefix, message = git("rev-parse", "--show-prefix")
        if not prefix then
            return nil, { ("%s: %s"):format(name, message) }
        end
        inside = prefix:gsub("%s+$", "") .. here
    end
    inside = inside:gsub("/+$", ""):gsub("^%.$", "")
    local kind, message = git("cat-file", "-t", inside == "" and revision .. "^{tree}" or revision .. ":" .. inside)
    if not kind then
        return nil, { ("%s: %s"):format(name, message) }
    end
    local file = kind:match("blob") and inside:match("[^/]+$") or nil
    local directory = file and inside:match("^(.*)/[^/]+$") or not file and inside or ""
    local into
    into, message = take_out(revision, directory)
    if not into then
        return nil, { ("%s: %s"):format(name, message) }
    end
    local found, site = resolve(file and into .. "/" .. file or into)
    local policy, problems
    if found then
        local shown = revision .. ":" .. (directory == "" and "" or directory .. "/") .. found:sub(#into + 2)
        policy, problems = load(found, shown)
    else
        problems = site
    end
    host.cli.run { "rm", "-rf", "--", into }
    return policy, policy and site or problems
end

-- The policy of that name, and its site.yaml's content if it has one | nil, list of problems; false instead of nil
-- when there is no such directory. With `is_site` it is the name of a site.yaml.
function policies.open(name, is_site)
    if not is_site and name:find("^[^:/][^:]*:") and not host.cli.find(name) then
        return from_git(name)
    end
    local file, site = (is_site and resolve_site or resolve)(name)
    if not file then
        return nil, site
    end
    local policy, problems = load(file, file)
    if not policy then
        return policy, problems
    end
    return policy, site
end

return policies
