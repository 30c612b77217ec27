// SPDX-License-Identifier: BSD-2-Clause
// A message in words, where it is not shown itself: in a list, a quote, a notification.
import {emojiAlone} from './emoji.js';
import {summary} from './format.js';
import {t} from './i18n.js';
import {isSystem, systemText} from './system_text.js';

// How many emoji it consists of; 0 where it has more than three, or anything else.
export function emojiCount({message_type, is_recalled, content, entities}) {
    return message_type === 'text' && !is_recalled && content && !entities ? emojiAlone(content) : 0;
}

// Its time is over: the server has recalled it then.
export function isExpired({is_recalled, recalled_at, recalled_reason, expires_at}) {
    return is_recalled && (recalled_reason === 'expired' || (Boolean(expires_at) && recalled_at !== null && recalled_at >= expires_at));
}

// In a group others may recall a message in its sender's place, and not everyone hears who did.
export function recalledText(message, me, nameOf) {
    const {from_user_id, to_user_id, recalled_by} = message;
    if (isExpired(message))
        return t('message.expired');
    if (recalled_by && recalled_by !== from_user_id)
        return t('message.recalledBy', {name: recalled_by === me ? t('system.You') : nameOf(recalled_by)}).replace(/^您 /, '您');
    if (to_user_id === null)
        return t('message.recalledGroup');
    return t(from_user_id === me ? 'message.recalledOwn' : 'message.recalledOther');
}

// nameOf(user id); roleNow: as in systemText(). Empty for a system message that this version does not know.
export function shortText(message, me, nameOf, roleNow = null) {
    if (message.is_recalled)
        return recalledText(message, me, nameOf);
    return isSystem(message) ? systemText(message, me, nameOf, roleNow) ?? '' : summary(message);
}
