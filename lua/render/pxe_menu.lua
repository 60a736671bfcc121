-- Menus of PXE firmware: what a boot server says in option 43 (PXE 2.1, chapter 2.3).
--
-- A menu is a list of items { text =, file =, server =, type = }, with prompt and timeout.
-- An item with a file is served by us: the firmware asks for it by its type (43.71), and is
-- told the file. One with a type alone is another boot server's, one with neither starts the
-- local disk.

local pxe_menu = {}

local PROMPT = "PXE"
local WAIT = 255 -- a timeout: until a key is pressed
local END = "\255"

-- Discovery control: neither multicast nor broadcast; or no multicast, when a boot server
-- has to be found.
local KNOWN, BROADCAST = 3, 2

local function sub_option(code, bytes)
    return string.char(code, #bytes) .. bytes
end

local function number(n)
    return string.char(math.floor(n / 256) % 256, n % 256)
end

local function address(text)
    local bytes = {}
    for part in text:gmatch("%d+") do
        bytes[#bytes + 1] = string.char(part)
    end
    return table.concat(bytes)
end

-- Option 43 of a menu, whose own boot server is at `server`.
function pxe_menu.option(menu, server)
    local entries, servers, discovery = {}, {}, KNOWN
    for _, item in ipairs(menu) do
        local host = item.file and server or item.server
        entries[#entries + 1] = number(item.type) .. string.char(#item.text) .. item.text
        if host then
            servers[#servers + 1] = number(item.type) .. "\1" .. address(host)
        elseif item.type ~= 0 then
            discovery = BROADCAST
        end
    end
    local timeout = menu.timeout or (#menu > 1 and WAIT or 0)
    return sub_option(6, string.char(discovery))
        .. (#servers > 0 and sub_option(8, table.concat(servers)) or "")
        .. sub_option(9, table.concat(entries))
        .. sub_option(10, string.char(timeout) .. (menu.prompt or PROMPT)) .. END
end

-- The file of an item for a layer of the boot (the first one is 0), as PXE names it.
local function file_of(item, layer)
    return item.file:find(".", 1, true) and item.file or item.file .. "." .. layer
end

-- The only item with a file; nil when there are several, or none.
local function only(menu)
    local found
    for _, item in ipairs(menu) do
        if item.file and found then
            return nil
        end
        found = item.file and item or found
    end
    return found
end

local function by_type(menu, wanted)
    for _, item in ipairs(menu) do
        if item.type == wanted then
            return item
        end
    end
end

-- Changes an answer to what the menu says at this step of the boot; false when nothing is to
-- be answered. Menus of UEFI are badly broken: one with a single choice is not shown, and the
-- others only on port 4011, where firmware comes because the offer says nothing.
function pxe_menu.apply(menu, answer, request)
    local uefi = (request.arch_id or 0) >= 6
    local item, layer
    if request.boot_item and request.message ~= "discover" then
        item, layer = by_type(menu, request.boot_item.type), request.boot_item.layer
        if not item or not item.file then
            return false
        end
    elseif uefi then
        item, layer = only(menu), 0
    end
    if item then
        answer.file, answer.server = file_of(item, layer), item.server
        answer.options[43] = nil
    elseif not uefi or request.port == 4011 then
        answer.options[43] = pxe_menu.option(menu, request.server)
    else
        answer.options[43] = nil
    end
    return true
end

return pxe_menu
