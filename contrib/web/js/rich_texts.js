// SPDX-License-Identifier: BSD-2-Clause
// The texts about emoji, in English and Chinese; a part of those in i18n.js.

export const RICH_TEXTS = {
    'emoji.open': ['Emoji', '表情'],
    'emoji.label': ['Emoji', '表情'],
    'emoji.search': ['Search emoji', '搜索表情'],
    'emoji.groups': ['Groups of emoji', '表情分类'],
    'emoji.none': ['No emoji found.', '没有找到表情。'],
    'emoji.foundCount': ['{count} emoji found', '找到 {count} 个表情'],
    'emoji.failed': ['The emoji could not be loaded.', '无法加载表情。'],
    'emoji.found': ['Found', '搜索结果'],
    'emoji.recent': ['Recently used', '最近使用'],
    'emoji.smileys': ['Smileys', '笑脸'],
    'emoji.people': ['People', '人物'],
    'emoji.nature': ['Animals and nature', '动物与自然'],
    'emoji.food': ['Food and drink', '食物'],
    'emoji.travel': ['Travel and places', '旅行与地点'],
    'emoji.activities': ['Activities', '活动'],
    'emoji.objects': ['Objects', '物品'],
    'emoji.symbols': ['Symbols', '符号'],
    'emoji.flags': ['Flags', '旗帜'],
};
