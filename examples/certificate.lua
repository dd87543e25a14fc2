-- Reloads a server when its certificate was renewed, but only if certificate and key belong together. Needs openssl.
--
--    $ echo 'openssl req -x509 -newkey ed25519 -nodes -subj /CN=moon -keyout "$1" -out "$2" 2>/dev/null' > renew
--    $ mkdir live; sh renew live/key.pem live/cert.pem
--    $ moonwatch examples/certificate.lua &
--    $ sh renew new.key live/cert.pem
--    certificate and key do not belong together
--    $ mv new.key live/key.pem
--    reloaded

local function public_key(...)
   local result = exec { "openssl", ... }
   return result.ok and result.out or nil
end

rule "certificate" {
   watch  = { "live/cert.pem", "live/key.pem" },
   settle = 0.5,                         -- both are written, one after the other
   run    = function()
      local certified = public_key("x509", "-noout", "-pubkey", "-in", "live/cert.pem")
      if not certified or certified ~= public_key("pkey", "-pubout", "-in", "live/key.pem") then
         return nil, "certificate and key do not belong together"
      end
      log.info "reloaded"                -- in earnest: return exec { "nginx", "-s", "reload" }
   end,
}
