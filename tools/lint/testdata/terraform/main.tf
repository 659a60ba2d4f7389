// want comment-syntax
variable "b" { # want description
  type = string
}

variable "a" { # want order type
  description = "First."
}

# lint:ignore unused a test
variable "c" {
  description = "Third."
  type        = string
}

locals {
  unused = 1                # want unused
  map    = { a = 1, a = 2 } # want duplicate-key
}

resource "null_resource" "Camel" { # want naming required-provider
  triggers = {
    b     = "${var.b}"             # want interpolation
    a     = lookup(local.map, "a") # want lookup
    old   = data.http.x.0          # want legacy-index
    empty = var.a == []            # want empty-list
  }
}

data "http" "x" { # want required-provider
  url = "http://127.0.0.1"
}

module "far" { # want module-version
  source = "git::https://127.0.0.1/x.git"
}
