-- `moonboot test --watch`: runs again whenever something changes that was read.
--
-- Each run is a process of its own, which reports which files it read, or looked for. Directories
-- are watched, as editors put a new file in the place of the old one.

local path = require "path"

local host = host

local watch = {}

-- Has `note(path)` told of what is read from now on: files, and directories with a slash behind.
local function record(note)
    local directories = {}
    local opendir = host.cli.opendir
    function host.cli.opendir(name)
        local handle, message = opendir(name)
        if handle then
            directories[handle] = name
        end
        return handle, message
    end
    for name, mark in pairs { read = "", list = "/", inventory = "" } do
        local original = host[name]
        host[name] = function(handle, file, ...)
            if directories[handle] then
                note(path.join(directories[handle], file) .. mark)
            end
            return original(handle, file, ...)
        end
    end
end

-- One run in a process of its own -> exit code, set of what it read. `run()` -> exit code.
local function run_apart(run)
    local crew = host.cli.jobs(1, 1, function(next, send)
        local seen = {}
        record(function(name)
            if not seen[name] then
                seen[name] = true
                send("f" .. name)
            end
        end)
        next()
        send("c" .. run())
    end)
    local read, code = {}, 2
    for text in crew.read, crew do
        if text:sub(1, 1) == "c" then
            code = tonumber(text:sub(2))
        else
            read[text:sub(2)] = true
        end
    end
    return code, read
end

-- "./a" and "a" are one file.
local function plain(name)
    return (name:gsub("^%./", ""))
end

-- Of these changes, the first that matters: something that was read, an entry of a directory
-- that was listed, a test.
function watch.relevant(changes, read)
    for _, change in ipairs(changes) do
        local name = plain(change)
        local directory = name:match "^(.*/)[^/]*$" or "./"
        if read[name] or read[directory] or read[name .. "/"] or name:find "_test%.lua$" then
            return name
        end
    end
end

-- Watches the directories of what was read, and of all that stands at and below the paths.
local function look_at(watcher, read, paths)
    local added = {}
    local function add(directory)
        if directory ~= "" and not added[directory] then
            added[directory] = true
            watcher:add(directory)
        end
    end
    for name in pairs(read) do
        add(name:match "^(.*)/$" or (path.split(name)))
    end
    for _, name in ipairs(paths) do
        add(name)
        for _, file in ipairs(host.cli.find(name) or {}) do
            add((path.split(file)))
        end
    end
end

-- Runs, and runs again at each change, until a signal ends it -> the last exit code.
function watch.loop(paths, run)
    local watcher, message = host.cli.watch()
    if not watcher then
        host.cli.warn("moonboot test: cannot watch: " .. message .. "\n")
        return 2
    end
    look_at(watcher, {}, paths)
    local code, read
    while true do
        code, read = run_apart(run)
        local changed
        repeat
            if watcher:interrupted() then
                return code
            end
            look_at(watcher, read, paths)
            local changes = watcher:wait()
            if not changes then
                return code
            end
            changed = watch.relevant(changes, read)
        until changed
        host.cli.write("\n" .. changed .. " has changed\n\n")
    end
end

return watch
