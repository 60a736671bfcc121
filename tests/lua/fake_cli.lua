-- The command line's part of `host`, over files in memory and with its output kept.

local fake_cli = {}

-- Runs `cli.NAME` with these arguments and files (path -> text) -> exit code, stdout, stderr.
-- `save` takes what it writes, `more` are other functions of host.cli.
function fake_cli.run(name, args, files, save, more)
    local out, err = {}, {}
    local read = host.read
    host.read = function(dir, path)
        local text = files[(dir == "." and "" or dir .. "/") .. path]
        if not text then
            return nil, "No such file or directory", true
        end
        return text
    end
    host.cli = {
        tty = false, save = save,
        opendir = function(path)
            for file in pairs(files) do
                if path == "." or file:sub(1, #path + 1) == path .. "/" then
                    return path
                end
            end
            return nil, "No such file or directory"
        end,
        bundle = function() end,
        refused = function() end,
        hushed = function(f, ...)
            return f(...)
        end,
        site_name = function()
            return "site.yaml"
        end,
        find = function(path)
            local found = {}
            for file in pairs(files) do
                if path == "." or file == path or file:sub(1, #path + 1) == path .. "/" then
                    found[#found + 1] = file
                end
            end
            table.sort(found)
            if #found == 0 then
                return nil, "No such file or directory"
            end
            return found
        end,
        each_line = function(path)
            local text = files[path]
            if not text then
                return nil, "No such file or directory"
            end
            return (text:gsub("\n$", "") .. "\n"):gmatch "(.-)\n"
        end,
        clock = os.clock,
        write = function(text)
            out[#out + 1] = text
        end,
        warn = function(text)
            err[#err + 1] = text
        end,
    }
    for key, value in pairs(more or {}) do
        host.cli[key] = value
    end
    local ok, code = xpcall(require("cli." .. name), debug.traceback, args)
    host.read, host.cli = read, nil
    assert(ok, code)
    return code, table.concat(out), table.concat(err)
end

return fake_cli
