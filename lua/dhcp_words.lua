-- What a policy says about DHCP itself: `dhcp = {…}` of a profile or rule overrides what
-- its machines are answered, the word `dhcp {…}` sets what holds for the site.

local arch = require "arch"
local bootloaders = require "bootloaders"
local problems = require "problems"
local reader = require "reader"
local words = require "words"

local host, within = host, reader.within

local dhcp_words = {}

local override_keys, site_keys = words.keys "Dhcp", words.keys "Site"
local menu_keys, item_keys = words.keys "PxeMenu", words.keys "PxeItem"
item_keys[1] = true

local function read_server(reading, path, value)
    local text = reading:literal(path, value, "an IPv4 address")
    if text and not host.ip(text) then
        reading:problem(path, "%s: found %s, expected an IPv4 address", reading.where(path),
                        problems.show(text))
        return nil
    end
    return text
end

local function read_loader(reading, path, value)
    local text = reading:literal(path, value, "a loader's name, such as \"grub\"")
    if text and not bootloaders.programs[text] then
        reading:problem(path, "%s: there is no loader %s%s", reading.where(path), problems.show(text),
                        problems.hint(text, bootloaders.programs))
        return nil
    end
    return text
end

-- false: the reply carries no vendor class.
local function read_vendor_class(reading, path, value)
    if value == false then
        return false
    end
    return reading:literal(path, value, "text, or false for none")
end

local function read_options(reading, path, value)
    if not reading:is(path, value, "table", "a table of option numbers and their bytes") then
        return nil
    end
    local options = {}
    for code, bytes in pairs(value) do
        local at = within(path, code)
        if type(code) ~= "number" or code < 1 or code > 254 or code % 1 ~= 0 then
            reading:problem(at, "%s: found the key %s, expected an option's number, 1 to 254",
                            reading.where(path), problems.show(code))
        elseif reading:is(at, bytes, "string", "the option's bytes as a string") then
            options[code] = bytes
        end
    end
    return options
end

local function read_number(reading, path, value, most)
    if value == nil then
        return nil
    elseif type(value) ~= "number" or value < 0 or value > most or value % 1 ~= 0 then
        reading:problem(path, "%s: found %s, expected a number from 0 to %d", reading.where(path),
                        reader.show(value), most)
        return nil
    end
    return value
end

-- An item's type is what firmware asks for it by; ours are from 0x8000 on (PXE 2.1, 2.3.2),
-- and 0 is the local disk.
local function read_item(reading, path, value)
    if not reading:is(path, value, "table", 'an item, such as { "Install", file = "pxelinux.0" }') then
        return nil
    end
    for key in pairs(value) do
        if not item_keys[key] then
            reading:problem(within(path, key), "unknown key %s in %s%s", problems.show(key),
                            reading.where(path), problems.hint(key, item_keys))
        end
    end
    if value[1] == nil then
        reading:problem(path, "%s has no text", reading.where(path))
    end
    local item = {
        text = reading:literal(within(path, 1), value[1]) or "",
        file = reading:literal(within(path, "file"), value.file, "the name of a file"),
        server = read_server(reading, within(path, "server"), value.server),
        type = read_number(reading, within(path, "type"), value.type, 65535),
    }
    item.type = item.type or (item.file and 0x7fff + path[#path] or 0)
    return item
end

-- Lists in tables that have names too.
local function read_menu(reading, path, value)
    if not reading:is(path, value, "table", "a list of items") then
        return nil
    end
    local menu, names, bytes = {}, {}, 12
    for key, each in pairs(value) do
        if type(key) ~= "number" then
            names[key] = each
        end
    end
    reading:keys(path, names, menu_keys)
    for i, item in ipairs(value) do
        menu[i] = read_item(reading, within(path, i), item) or { text = "", type = 0 }
        bytes = bytes + 3 + #menu[i].text + ((menu[i].file or menu[i].server) and 7 or 0)
    end
    menu.prompt = reading:literal(within(path, "prompt"), value.prompt)
    menu.timeout = read_number(reading, within(path, "timeout"), value.timeout, 255)
    if #menu == 0 then
        reading:problem(path, "%s has no items", reading.where(path))
    elseif bytes + #(menu.prompt or "") > 255 then
        reading:problem(path, "%s is %d bytes as PXE has it, and can be 255: shorten its texts",
                        reading.where(path), bytes + #(menu.prompt or ""))
    end
    return menu
end

function dhcp_words.read_override(reading, path, value)
    if not reading:is(path, value, "table", "a table, such as { file = \"boot.efi\" }") then
        return nil
    end
    reading:keys(path, value, override_keys)
    local function at(key)
        return within(path, key)
    end
    local result = {
        file = reading:literal(at "file", value.file, "the name of a file, or a URL"),
        loader = read_loader(reading, at "loader", value.loader),
        server = read_server(reading, at "server", value.server),
        vendor_class = read_vendor_class(reading, at "vendor_class", value.vendor_class),
        options = read_options(reading, at "options", value.options),
        menu = value.menu ~= nil and read_menu(reading, at "menu", value.menu) or nil,
    }
    if reading:is(at "ipxe", value.ipxe, "boolean", "true or false") then
        result.ipxe = value.ipxe
    end
    return result
end

local function read_program(reading, path, value, name)
    if not arch.names[name] then
        reading:problem(path, "%s: there is no architecture %s%s", reading.where { path[1] },
                        problems.show(name), problems.hint(name, arch.names))
        return nil
    end
    return reading:literal(path, value, "the name of a file")
end

-- The word's table -> { programs = name of the boot program by architecture or nil,
-- vendors = list of vendor-class prefixes }.
function dhcp_words.read_site(reading, body)
    reading:keys({}, body, site_keys)
    return {
        programs = reading:map({ "programs" }, body.programs, read_program,
                               "a table of architectures and names of files"),
        vendors = reading:list({ "vendors" }, body.vendors, reading.literal,
                               'a list of vendor classes, such as { "U-Boot" }'),
    }
end

return dhcp_words
