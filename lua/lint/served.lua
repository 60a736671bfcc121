-- Files that a policy names, and that the site's directories do not have. Names with {{…}} in them,
-- and what other servers have, cannot be looked for.

local plans = require "lint.plans"
local problems = require "problems"
local url = require "url"

local served = {}

local function exists(directories, name)
    for _, directory in ipairs(directories) do
        if host.cli.served(directory, name) then
            return true
        end
    end
    return host.cli.served(nil, name)
end

local function list(directories)
    return #directories > 0 and "is not in " .. table.concat(directories, " or ")
           or "is not served: site.yaml names no directory of such files"
end

-- A name below /assets/, or nil for what is elsewhere or not certain.
local function asset(text)
    local name = text and text.constant
    if not name or url.is_absolute(name) then
        return nil
    elseif name:sub(1, 1) == "/" then
        return name:match "^/assets/([^?#%%]+)$"
    end
    return name
end

-- A name that TFTP is asked for, or nil for one that is not certain.
local function boot_file(name)
    if not name or url.is_absolute(name) or name:find("[?%%]") or name:find("^/?boot%.ipxe") then
        return nil
    end
    return (name:gsub("\\", "/"):gsub("/+", "/"):gsub("^/", ""))
end

-- The directories of the site that are there; the others are warned of.
local function directories_of(site, warn)
    local there = {}
    for _, key in ipairs { "assets", "tftp_root" } do
        local directory = site[key]
        if directory then
            local dir, message = host.cli.opendir(directory)
            if dir then
                there[key] = directory
            else
                warn("missing-directory", site.file, site.line(key), "%s: %s: %s",
                     key == "assets" and "http.assets" or "tftp.root", directory, message)
            end
        end
    end
    return there
end

-- Calls warn(kind, file, line, text). `site`: host.cli.site's, with `file`, its own name, and
-- `line`, a function of its keys.
function served.find(l, site, warn)
    local there = directories_of(site, warn)
    local assets, anywhere = { there.assets }, { there.assets }
    anywhere[#anywhere + 1] = there.tftp_root
    local looked_for = {
        assets = not site.assets or there.assets ~= nil,
        tftp = not site.tftp_root or there.tftp_root ~= nil,
    }
    looked_for.anywhere = looked_for.assets and looked_for.tftp

    local function check_asset(reading, path, text)
        local name = asset(text)
        if name and looked_for.assets and not exists(assets, name) then
            warn("missing-file", reading.loader.display, reading:at(path), "%s: %s %s", reading.where(path),
                 problems.show(name), list(assets))
        end
    end

    local function check_boot_file(reading, path, file)
        local name = boot_file(file)
        local below_assets = name and name:match "^assets/(.+)$"
        if name and looked_for.anywhere and not exists(anywhere, below_assets or name) then
            warn("missing-file", reading.loader.display, reading:at(path), "%s: %s %s", reading.where(path),
                 problems.show(name), list(anywhere))
        end
    end

    local function check(reading, of, before)
        local function at(...)
            local path = { unpack(before) }
            for _, key in ipairs { ... } do
                path[#path + 1] = key
            end
            return path
        end
        check_asset(reading, at "kernel", of.kernel)
        for i, text in ipairs(of.initrd or {}) do
            check_asset(reading, #of.initrd > 1 and at("initrd", i) or at "initrd", text)
        end
        local dhcp = of.dhcp
        if dhcp and dhcp.file and not dhcp.server and (of.files or {})[dhcp.file] == nil then
            check_boot_file(reading, at("dhcp", "file"), dhcp.file)
        end
        for _, name in pairs(of.files or {}) do
            if name and looked_for.tftp and not exists({ there.tftp_root }, name) then
                warn("missing-file", reading.loader.display, reading:at(at "files"), "files: %s %s",
                     problems.show(name), list { there.tftp_root })
            end
        end
    end

    for arch, file in pairs(l.settings.dhcp and l.settings.dhcp.programs or {}) do
        check_boot_file(l.readings[l.settings.dhcp], { "programs", arch }, file)
    end
    for _, profile in pairs(l.profiles) do
        check(l.readings[profile], profile, {})
    end
    for _, rule in ipairs(l.rules) do
        local reading = l.readings[rule]
        check(reading, { dhcp = rule.dhcp, files = rule.files }, {})
        for _, key in ipairs { "boot", "on_error" } do
            plans.each(key == "boot" and rule.plan or rule.on_error, function(plan)
                if plan.profile and not plan.profile.name then
                    check(reading, plan.profile, { key })
                end
            end)
        end
    end
end

return served
