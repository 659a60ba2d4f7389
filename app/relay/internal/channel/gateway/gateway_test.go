package gateway

import (
	"strings"
	"testing"

	"lookout/app/relay/internal/channel"
)

// TestAGatewaysRefusalIsNotADelivery: many answer 200 to what they refuse.
func TestAGatewaysRefusalIsNotADelivery(t *testing.T) {
	tencent, aliyun := presets["tencent-sms"], presets["aliyun-sms"]
	for _, c := range []struct {
		success Success
		status  int
		body    string
		want    channel.Outcome
	}{
		{Success{}, 200, ``, channel.Delivered},
		{Success{}, 204, ``, channel.Delivered},
		{Success{}, 200, `sent`, channel.Delivered},
		{Success{}, 200, `{"id":"5"}`, channel.Delivered},
		{Success{}, 200, `{"code":0}`, channel.Delivered},
		{Success{}, 200, `{"code":200,"msg":"ok"}`, channel.Delivered},
		{Success{}, 200, `{"code":"200"}`, channel.Delivered},
		{Success{}, 200, `{"Code":"OK"}`, channel.Delivered},
		{Success{}, 201, `{"status":"success"}`, channel.Delivered},
		{Success{}, 200, `{"status":{"x":1}}`, channel.Delivered},
		{Success{}, 200, `{"errcode":1}`, channel.Refused},
		{Success{}, 200, `{"code":40001,"msg":"no balance"}`, channel.Refused},
		{Success{}, 200, "\ufeff{\"Code\":\"isv.AMOUNT_NOT_ENOUGH\"}", channel.Refused},
		{Success{}, 200, `{"status":"failed"}`, channel.Refused},
		{Success{}, 200, `{"code":0,"status":"error"}`, channel.Refused},
		{Success{}, 403, `{"code":0}`, channel.Refused},
		{Success{}, 503, `{"code":0}`, channel.Retry},
		{Success{}, 429, ``, channel.Throttled},
		{Success{}, 413, ``, channel.Split},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"Ok"}]}}`, channel.Delivered},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"Ok"},{"Code":"FailedOperation.InsufficientBalanceInSmsPackage"}]}}`, channel.Refused},
		{tencent, 200, `{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberDailyLimit"}]}}`, channel.Throttled},
		{tencent, 200, `{"Response":{"Error":{"Code":"AuthFailure"}}}`, channel.Refused},
		{tencent, 200, `<html>`, channel.Retry},
		{tencent, 200, `{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"slow down"},"RequestId":"x"}}`, channel.Throttled},
		{tencent, 200, `{"Response":{"RequestId":"x"}}`, channel.Refused},
		{aliyun, 400, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control."}`, channel.Throttled},
		{aliyun, 400, `{"Code":"InvalidAccessKeyId.NotFound"}`, channel.Refused},
		{aliyun, 400, `<html>`, channel.Refused},
		{Success{}, 200, `{"success":false,"msg":"no such template"}`, channel.Refused},
		{Success{}, 200, `{"success":"FALSE"}`, channel.Refused},
		{Success{}, 200, `{"ok":false}`, channel.Refused},
		{Success{}, 200, `{"status":false}`, channel.Refused},
		{Success{}, 200, `{"success":true,"code":0}`, channel.Delivered},
		{Success{}, 200, `{"ok":1,"success":"yes"}`, channel.Delivered},
		{Success{}, 200, `[{"code":0},{"code":7}]`, channel.Refused},
		{Success{}, 200, `[{"code":0},"x",null]`, channel.Delivered},
		{aliyun, 200, `{"Message":"OK","Code":"OK"}`, channel.Delivered},
		{aliyun, 200, `{"Code":"isv.BUSINESS_LIMIT_CONTROL"}`, channel.Throttled},
		{Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[{"state":7}]}`, channel.Delivered},
		{Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[{"state":true},{"state":1}]}`, channel.Delivered},
		{Success{Path: "data.0.state", Values: []string{"7", "true"}}, 200, `{"data":[]}`, channel.Refused},
	} {
		a := read(c.success, channel.Response{Status: c.status, Body: []byte(c.body)}, func(s string) string { return strings.ReplaceAll(s, "balance", "[secret]") })
		if a.Outcome != c.want {
			t.Errorf("%+v, HTTP %d %s is %s, want %s: %s", c.success, c.status, c.body, a.Outcome, c.want, a.Reason)
		}
		if strings.Contains(a.Reason, "no balance") {
			t.Errorf("the reason isn't redacted: %s", a.Reason)
		}
	}
}
