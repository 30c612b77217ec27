// SPDX-License-Identifier: BSD-2-Clause
// Making a group: its name, a picture, and the friends in it.
import {groupAvatar} from './avatar.js';
import {el, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {field} from './field.js';
import {FriendPicker} from './friend_picker.js';
import {reasonOf, t} from './i18n.js';
import {tellLeftOut} from './left_out.js';
import {wishedName} from './names.js';
import {PictureField} from './picture_field.js';
import {chatAddress} from './room_key.js';

const MEMBERS_MAX = 500; // of the protocol, in a new group

export function openNewGroup(chat) {
    const name = el('input', {type: 'text', maxlength: '64', dir: 'auto', autocomplete: 'off', required: true});
    const picture = new PictureField(chat, t('group.picture'), (avatar_url) => groupAvatar({name: name.value || t('group.new'), avatar_url}, true));
    const picker = new FriendPicker(chat, [], MEMBERS_MAX, t('group.noFriends'));
    const fault = el('p.fault', {role: 'alert'});
    const submit = el('button.primary', {type: 'submit'}, t('group.create'));
    // Sent again after an answer was lost, it makes no second group.
    const client_group_id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const dialog = openDialog(t('group.new'), el('form.new-group', {novalidate: true, onsubmit: async (event) => {
        event.preventDefault();
        const wished = wishedName(name);
        fault.textContent = wished.name === null ? t('group.nameMissing') : wished.fault ?? '';
        if (fault.textContent !== '') {
            name.focus();
            return;
        }
        submit.disabled = true;
        try {
            const {conversation, leftOut} = await chat.createGroup({name: wished.name, user_ids: picker.userIds,
                avatar_url: await picture.value() ?? undefined, client_group_id});
            dialog.close();
            location.hash = chatAddress(conversation.key);
            tellLeftOut(chat, leftOut);
        } catch (problem) {
            fault.textContent = reasonOf(problem);
        } finally {
            submit.disabled = false;
        }
    }},
    field(t('group.name'), name), picture.node,
    el('h3', {}, t('group.choose')), el('p.hint', {}, t('group.chooseHint')), picker.node, fault,
    el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    name.focus();
}
