-- Files that a test has in place of those beside its policy: `files = { ["hosts.csv"] = "…" }`.

local host = host

local overlay = {}

local function missing()
    return nil, "No such file or directory", true
end

-- The names in a directory, with those of `files` that are in it.
local function merge(files, path, names)
    local found, list = {}, {}
    for _, name in ipairs(names or {}) do
        found[name] = true
    end
    local lead = path == "." and "" or path:gsub("/+$", "") .. "/"
    for file, text in pairs(files) do
        local rest = file:sub(1, #lead) == lead and file:sub(#lead + 1) or nil
        local name = rest and (rest:match "^[^/]*/" or rest)
        if name then
            found[name] = text and true or found[name] and name:find "/$" and true or nil
        end
    end
    for name in pairs(found) do
        list[#list + 1] = name
    end
    return list
end

-- Calls f(…) while what is read from the directory `dir` is these files first. What f throws
-- goes through.
function overlay.with(files, dir, f, ...)
    if not files or next(files) == nil then
        return f(...)
    end
    local read, list, inventory = host.read, host.list, host.inventory
    function host.read(from, path)
        local text = from == dir and files[path]
        if text == nil or from ~= dir then
            return read(from, path)
        elseif not text then
            return missing()
        end
        return text
    end
    function host.list(from, path)
        local names, message, none = list(from, path)
        if from ~= dir or not names and not none then
            return names, message, none
        end
        local all = merge(files, path, names)
        if not names and #all == 0 then
            return names, message, none
        end
        return all
    end
    function host.inventory(from, path, ...)
        local text = from == dir and files[path]
        if text == nil or from ~= dir then
            return inventory(from, path, ...)
        elseif not text then
            return missing()
        end
        return host.cli.scratch(path:match "[^/]+$", text, inventory, ...)
    end
    local function restore(ok, ...)
        host.read, host.list, host.inventory = read, list, inventory
        if not ok then
            error((...), 0)
        end
        return ...
    end
    return restore(pcall(f, ...))
end

return overlay
