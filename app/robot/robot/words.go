package robot

// words are the page's texts in one language.
type words map[string]string

var dictionary = map[string]words{
	"zh": {
		"title": "报警群", "subtitle": "钉钉机器人模拟器", "robot": "机器人", "live": "实时", "offline": "连接中断，重试中…",
		"rules": "规则", "limit": "每个机器人 %[2]v 内最多 %[1]d 条，超出后封 %[3]v", "refused_toggle": "显示被拒消息", "clear": "清空",
		"refused": "群里看不到这条消息", "lost": "故障脚本：消息没有到达机器人", "doubtful": "消息已显示，但发送方没有收到正常应答",
		"fault": "故障", "repeated": "相同 msgUuid 重发，未重复显示：", "times": "次", "lost_mention": "正文里没有写，不会提醒任何人：",
		"raw": "原始报文", "preview": "通知标题", "empty": "还没有消息", "empty_hint": "给机器人发第一条消息：", "omitted": "更早的消息请查看",
		"new": "条新消息", "unknown": "未知机器人", "picture": "图片", "kept": "内存中最多保留 %d 条", "no_text": "（没有正文）",
		"other_lang": "English", "other_code": "en", "skip": "跳到最新消息", "bad_link": "链接无法打开",
	},
	"en": {
		"title": "Alert group", "subtitle": "DingTalk robot simulator", "robot": "robot", "live": "live", "offline": "disconnected, trying again…",
		"rules": "Rules", "limit": "each robot takes %[1]d messages in %[2]v, one more blocks it for %[3]v", "refused_toggle": "Show refused", "clear": "Clear",
		"refused": "The group does not see this message", "lost": "Scripted fault: the message never reached the robot", "doubtful": "Shown, but its sender got no proper answer",
		"fault": "fault", "repeated": "Sent again with the same msgUuid, not shown again:", "times": "×", "lost_mention": "Not in the text, so nobody is told:",
		"raw": "Raw", "preview": "Notification title", "empty": "No messages yet", "empty_hint": "Send the robot its first one:", "omitted": "older messages are in",
		"new": "new", "unknown": "unknown robot", "picture": "picture", "kept": "at most %d are kept in memory", "no_text": "(no text)",
		"other_lang": "中文", "other_code": "zh", "skip": "Jump to the newest message", "bad_link": "this link cannot be opened",
	},
}
