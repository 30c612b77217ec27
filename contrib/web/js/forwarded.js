// SPDX-License-Identifier: BSD-2-Clause
// What was forwarded, in words: who wrote it first, and what a card says of messages that were merged into one.
import {summary} from './format.js';
import {t} from './i18n.js';
import {nameList} from './name_list.js';
import {isVisible, plain} from './text.js';

const PREVIEWED = 4;

const isText = (value) => typeof value === 'string';

// What `extra` of a merged message holds; what is not as it should be is left out.
export function itemsOf({extra}) {
    return (Array.isArray(extra?.items) ? extra.items : []).filter((item) => isText(item?.user_id) && isText(item.message_type));
}

// As the page knows them; else by the name that came with it. you: what the user is called.
export function authorName(chat, userId, nickname, you = t('message.you')) {
    if (userId === chat.me)
        return you;
    const known = chat.people.name(userId);
    const given = isText(nickname) ? plain(nickname) : '';
    return known === userId && isVisible(given) ? given : known;
}

// {title, lines: [{name, text}], count}: what a card shows; everything a text.
export function cardOf(chat, message) {
    const items = itemsOf(message);
    const names = [...new Set(items.map(({user_id, nickname}) => authorName(chat, user_id, nickname, t('system.you'))))];
    return {title: names.length > 0 ? t('forward.cardOf', {names: nameList(names.slice(0, 3), names.length)}) : t('forward.card'), count: items.length,
        lines: items.slice(0, PREVIEWED).map((item) => ({name: authorName(chat, item.user_id, item.nickname), text: summary({...item, entities: null}) ?? ''}))};
}
