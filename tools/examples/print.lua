-- Pandoc filter for the printed documents.
-- An empty link "[](#id)" becomes "section 4.2", with the number that
-- --number-sections will give that heading; a dangling one stops the build.
-- Notes become inline spans, which the style sheet floats to the foot of the page.

local numbers, word = {}, "section"

local function count_headers(doc)
  local count = { 0, 0, 0, 0, 0, 0 }
  if doc.meta["section-word"] then
    word = pandoc.utils.stringify(doc.meta["section-word"])
  end
  for _, block in ipairs(doc.blocks) do
    if block.t == "Header" and not block.classes:includes("unnumbered") then
      count[block.level] = count[block.level] + 1
      for deeper = block.level + 1, #count do count[deeper] = 0 end
      numbers[block.identifier] = table.concat(count, ".", 1, block.level)
    end
  end
end

local function fill_reference(link)
  if #link.content > 0 or link.target:sub(1, 1) ~= "#" then return nil end
  local number = numbers[link.target:sub(2)]
  if not number then error("no section " .. link.target) end
  link.content = { pandoc.Str(word .. "\u{a0}" .. number) }
  return link
end

local function note_to_span(note)
  local inlines = pandoc.utils.blocks_to_inlines(note.content)
  return pandoc.Span(inlines, pandoc.Attr("", { "footnote" }))
end

return { { Pandoc = count_headers }, { Link = fill_reference }, { Note = note_to_span } }
