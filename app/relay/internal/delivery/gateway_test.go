package delivery

import (
	"strings"
	"testing"

	"lookout/app/relay/internal/config"
	"lookout/app/relay/internal/robot"
)

// TestAGatewaysRefusalIsNotADelivery: many answer 200 to what they refuse.
func TestAGatewaysRefusalIsNotADelivery(t *testing.T) {
	tencent := config.Success{Path: "Response.SendStatusSet.*.Code", Values: []string{"Ok"}, Throttled: []string{"LimitExceeded"}}
	aliyun := config.Success{Path: "Code", Values: []string{"OK"}, Throttled: []string{"isv.BUSINESS_LIMIT_CONTROL"}}
	for _, c := range []struct {
		success config.Success
		status  int
		body    string
		want    robot.Outcome
	}{
		{config.Success{}, 200, ``, robot.Delivered},
		{config.Success{}, 204, ``, robot.Delivered},
		{config.Success{}, 200, `sent`, robot.Delivered},
		{config.Success{}, 200, `{"id":"5"}`, robot.Delivered},
		{config.Success{}, 200, `{"code":0}`, robot.Delivered},
		{config.Success{}, 200, `{"code":200,"msg":"ok"}`, robot.Delivered},
		{config.Success{}, 200, `{"code":"200"}`, robot.Delivered},
		{config.Success{}, 200, `{"Code":"OK"}`, robot.Delivered},
		{config.Success{}, 201, `{"status":"success"}`, robot.Delivered},
		{config.Success{}, 200, `{"status":{"x":1}}`, robot.Delivered},
		{config.Success{}, 200, `{"errcode":1}`, robot.Refused},
		{config.Success{}, 200, `{"code":40001,"msg":"no balance"}`, robot.Refused},
		{config.Success{}, 200, "\ufeff{\"Code\":\"isv.AMOUNT_NOT_ENOUGH\"}", robot.Refused},
		{config.Success{}, 200, `{"status":"failed"}`, robot.Refused},
		{config.Success{}, 200, `{"code":0,"status":"error"}`, robot.Refused},
		{config.Success{}, 403, `{"code":0}`, robot.Refused},
		{config.Success{}, 503, `{"code":0}`, robot.Retry},
		{config.Success{}, 429, ``, robot.Throttled},
		{config.Success{}, 413, ``, robot.Split},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"Ok"}]}}`, robot.Delivered},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"FailedOperation.InsufficientBalanceInSmsPackage"}]}}`, robot.Refused},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberDailyLimit"}]}}`, robot.Throttled},
		{tencent, 200, `{"Response":{"Error":{"Code":"AuthFailure"}}}`, robot.Refused},
		{tencent, 200, `<html>`, robot.Retry},
		{aliyun, 200, `{"Message":"OK","Code":"OK"}`, robot.Delivered},
		{aliyun, 200, `{"Code":"isv.BUSINESS_LIMIT_CONTROL"}`, robot.Throttled},
		{config.Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[{"state":7}]}`, robot.Delivered},
		{config.Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[{"state":true},{"state":1}]}`, robot.Delivered},
		{config.Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[]}`, robot.Refused},
	} {
		a := readGateway(&config.Webhook{Success: c.success}, c.status, "", []byte(c.body), func(s string) string { return strings.ReplaceAll(s, "balance", "[secret]") })
		if a.Outcome != c.want {
			t.Errorf("%+v, HTTP %d %s is %s, want %s: %s", c.success, c.status, c.body, a.Outcome, c.want, a.Reason)
		}
		if strings.Contains(a.Reason, "no balance") {
			t.Errorf("the reason isn't redacted: %s", a.Reason)
		}
	}
}
