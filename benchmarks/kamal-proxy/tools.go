//go:build tools

package tools

import _ "github.com/basecamp/kamal-proxy/cmd/kamal-proxy"
