// SPDX-License-Identifier: BSD-2-Clause
// The texts about finding conversations and messages, in English and Chinese; a part of those in i18n.js.

export const FIND_TEXTS = {
    'switch.title': ['Go to a conversation', '跳转到会话'],
    'switch.button': ['Go to a conversation ({keys})', '跳转到会话（{keys}）'],
    'switch.placeholder': ['Name of a person or group', '用户或群聊的名称'],
    'switch.found': ['{count} found', '找到 {count} 个'],
    'switch.move': ['choose', '选择'],
    'switch.open': ['open', '打开'],

    'date.title': ['Go to a date', '跳转到日期'],
    'date.menu': ['Go to a date …', '跳转到日期……'],
    'date.label': ['Date', '日期'],
    'date.go': ['Go', '跳转'],
    'date.begin': ['To the beginning', '跳到开头'],
    'date.none': ['There are no messages of this day.', '这一天没有消息。'],
    'date.next': ['To the next ones: {day}', '跳到之后的消息：{day}'],
    'date.empty': ['There are no messages.', '没有消息。'],
    'date.bad': ['This is no date.', '日期无效。'],
    'date.ofDay': ['{day}: go to another date', '{day}：跳转到其他日期'],

    'room.newer': ['Loading newer messages …', '正在加载更新的消息……'],
    'room.newerFailed': ['Newer messages could not be loaded.', '无法加载更新的消息。'],
};
