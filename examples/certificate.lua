-- Reloads a server when its certificate was renewed, but only if certificate and key are there and belong together.
--
--    $ mkdir live; echo pair1 > live/cert.pem; echo pair1 > live/key.pem
--    $ moonwatch examples/certificate.lua &
--    $ echo pair2 > live/cert.pem
--    certificate and key do not belong together
--    $ echo pair2 > live/key.pem
--    reloaded

local function fingerprint(path)
   -- In earnest: exec { "openssl", "x509", "-noout", "-pubkey", "-in", path } and "pkey", "-pubout".
   return exec { "cat", path }.out
end

rule "certificate" {
   watch  = { "live/cert.pem", "live/key.pem" },
   settle = 0.5,                         -- both are written one after the other
   run    = function()
      if fingerprint "live/cert.pem" ~= fingerprint "live/key.pem" then
         return nil, "certificate and key do not belong together"
      end
      log.info "reloaded"                -- in earnest: return exec { "nginx", "-s", "reload" }
   end,
}
