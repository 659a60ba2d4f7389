package robot

import (
	"fmt"
	"strings"
)

// Wording chooses between the two generations of refusal texts that DingTalk has answered with.
// Code that tells refusals apart by their text has to know both.
type Wording string

const (
	// Classic is the older generation: short English sentences with a link, as in
	// "keywords not in content, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]".
	Classic Wording = "classic"
	// Described is the newer one: "description:…;solution:…;link:…;" in Chinese.
	Described Wording = "described"
)

// Answer is one of the bodies DingTalk is known to answer with, always under HTTP 200.
type Answer struct {
	// Name is how a fault script asks for it.
	Name string `json:"name"`
	// Codes and Texts are what each generation puts into errcode and errmsg. A text may hold %s,
	// which is replaced by what the call was about.
	Codes map[Wording]int    `json:"errcode"`
	Texts map[Wording]string `json:"errmsg"`
}

// The names of the answers, as used by fault scripts.
const (
	AnswerOK               = "ok"
	AnswerBusy             = "busy"
	AnswerKeyword          = "keyword"
	AnswerSign             = "sign"
	AnswerTimestamp        = "timestamp"
	AnswerIP               = "ip"
	AnswerTooFast          = "too_fast"
	AnswerNoSuchToken      = "no_such_token"
	AnswerMissingParameter = "missing_parameter"
	AnswerNotPost          = "not_post"
	AnswerGroupGone        = "group_gone"
	AnswerTokenMissing     = "token_missing"
	AnswerDisabled         = "disabled"
	AnswerBadType          = "bad_msgtype"
	AnswerRobotGone        = "robot_gone"
	AnswerUnsafeLink       = "unsafe_link"
	AnswerUnsafeText       = "unsafe_text"
	AnswerUnsafeImage      = "unsafe_image"
	AnswerUnsafeContent    = "unsafe_content"
	AnswerTooLong          = "too_long"
)

func both(code int) map[Wording]int { return map[Wording]int{Classic: code, Described: code} }

func texts(classic, described string) map[Wording]string {
	return map[Wording]string{Classic: classic, Described: described}
}

// more is the tail of the classic security refusals.
const more = ", more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"

func described(description, solution string) string {
	return "description:" + description + ";solution:" + solution +
		";link:请参考本接口对应文档获得具体要求，或者在https://open.dingtalk.com/document/  搜索相关文档;"
}

// Answers lists every answer the robot can give. The codes and the beginnings of the texts are what
// public code was seen to match on; DingTalk promises none of them.
func Answers() []Answer {
	return []Answer{
		{AnswerOK, both(0), texts("ok", "ok")},
		{AnswerBusy, both(-1), texts("system busy", "系统繁忙")},
		{AnswerKeyword, both(310000), texts("keywords not in content"+more,
			"错误描述:关键词不匹配;解决方案:请联系群管理员查看此机器人的关键词，并在发送的信息中包含此关键词;")},
		{AnswerSign, both(310000), texts("sign not match"+more,
			described("机器人发送签名不匹配", "请确认签名和生成签名的时间戳必须都放在调用的网址中，请确认机器人的密钥加密和填写正确"))},
		{AnswerTimestamp, both(310000), texts("invalid timestamp"+more,
			described("机器人发送签名过期", "签名生成时间和发送时间请保持在 timestampms 以内"))},
		{AnswerIP, both(310000), texts("ip %s not in whitelist"+more,
			described("机器人发送IP不在白名单", "请联系群管理员把 %s 加入机器人的IP地址段"))},
		{AnswerTooFast, map[Wording]int{Classic: 130101, Described: 410100}, texts("send too fast, exceed 20 times per minute",
			described("发送速度太快而限流", "请降低发送速度"))},
		{AnswerNoSuchToken, map[Wording]int{Classic: 300001, Described: 300005}, texts("token is not exist", "token is not exist")},
		{AnswerMissingParameter, both(40035), texts("缺少参数 %s", "缺少参数 %s")},
		{AnswerNotPost, both(43002), texts("require POST method", "需要POST请求")},
		{AnswerGroupGone, both(400013), texts("group disbanded", described("群已被解散", "请向其他群发送消息"))},
		{AnswerTokenMissing, both(400101), texts("access_token is missing", described("access_token不存在", "请确认access_token拼写是否正确"))},
		{AnswerDisabled, both(400102), texts("robot is disabled", described("机器人已停用", "请联系管理员启用机器人"))},
		{AnswerBadType, both(400105), texts("unsupported msgtype", described("不支持的消息类型", "请使用文档中支持的消息类型"))},
		{AnswerRobotGone, both(400106), texts("robot not found", described("机器人不存在", "请确认机器人是否在群中"))},
		{AnswerUnsafeLink, both(430101), texts("unsafe link in content", described("含有不安全的外链", "请确认发送的内容合法"))},
		{AnswerUnsafeText, both(430102), texts("improper text in content", described("含有不合适的文本", "请确认发送的内容合法"))},
		{AnswerUnsafeImage, both(430103), texts("improper image in content", described("含有不合适的图片", "请确认发送的内容合法"))},
		{AnswerUnsafeContent, both(430104), texts("improper content", described("含有不合适的内容", "请确认发送的内容合法"))},
		{AnswerTooLong, both(460101), texts("message too long, exceed 20000 bytes", described("消息内容太长", "请确认消息大小不超过20000"))},
	}
}

// verdict is what one call is answered with.
type verdict struct {
	Code int    `json:"errcode"`
	Text string `json:"errmsg"`
}

func (v verdict) ok() bool { return v.Code == 0 }

// answerBook gives verdicts in one wording.
type answerBook struct {
	wording Wording
	byName  map[string]Answer
	codes   map[int]bool
}

func newAnswerBook(w Wording) answerBook {
	b := answerBook{wording: w, byName: map[string]Answer{}, codes: map[int]bool{}}
	for _, a := range Answers() {
		b.byName[a.Name] = a
		for _, c := range a.Codes {
			b.codes[c] = true
		}
	}
	return b
}

func (b answerBook) verdict(name, about string) verdict {
	a := b.byName[name]
	text := a.Texts[b.wording]
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, about)
	}
	return verdict{Code: a.Codes[b.wording], Text: strings.TrimSpace(text)}
}
