-- Lets tests require the modules of policies by the names that policies use, outside a
-- sandbox: require "moonboot.gotemplate". tests/lua/policies.lua tries them inside.

table.insert(package.loaders, 2, function(name)
    local path = name:match "^moonboot%.(.+)$"
    if not path then
        return nil
    end
    path = "policies/" .. path:gsub("%.", "/")
    return loadfile(path .. ".lua") or loadfile(path .. "/init.lua")
end)

return true
