-- Sends the requests of a file in their order, again and again.
-- A line has a method, a path, a token, a content type and a body, with tabs between them.

-- wrk asks for one request more than it sends, to look at it: that is the last of the file.
local requests, sent = {}, -1

function init(args)
   for line in io.lines(args[1]) do
      local method, path, token, kind, body =
         line:match("^([^\t]+)\t([^\t]+)\t([^\t]*)\t([^\t]*)\t(.*)$")
      local headers = { Host = wrk.headers["Host"], Accept = "application/json" }
      if token ~= "" then headers["Authorization"] = "Bearer " .. token end
      if kind ~= "" then headers["Content-Type"] = kind end
      requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
   end
end

function request()
   sent = sent % #requests + 1
   return requests[sent]
end
