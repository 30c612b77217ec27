// SPDX-License-Identifier: BSD-2-Clause
// The texts about finding conversations and messages, in English and Chinese; a part of those in i18n.js.

export const FIND_TEXTS = {
    'switch.title': ['Go to a conversation', '跳转到会话'],
    'switch.button': ['Go to a conversation ({keys})', '跳转到会话（{keys}）'],
    'switch.placeholder': ['Name of a person or group', '用户或群聊的名称'],
    'switch.found': ['{count} found', '找到 {count} 个'],
    'switch.move': ['choose', '选择'],
    'switch.open': ['open', '打开'],
};
