-- Bundles where commands are given policies: to them a bundle is a directory, and its name that of
-- the policy in it.

local path = require "path"

local host = host

local bundled = {}

-- The name of the policy, where `name` is a bundle's: "release.bundle" -> "release.bundle/policy.lua".
function bundled.policy(name)
    local bundle, problem
    if name then
        bundle, problem = host.cli.bundle(name)
    end
    if problem then -- which is found again when it is opened
        return path.join(name, "policy.lua")
    end
    return bundle and path.join(name, bundle.policy) or name
end

-- The names of a bundle's files; nil: it is none.
function bundled.files(name)
    local bundle = host.cli.bundle(name)
    if not bundle then
        return nil
    end
    local files = {}
    for i, file in ipairs(bundle.files) do
        files[i] = path.join(name, file)
    end
    return files
end

return bundled
