// SPDX-License-Identifier: BSD-2-Clause
// Making a group: its name, a picture, and the friends in it.
import {el, textButton, webUrl} from './dom.js';
import {openDialog} from './dialog.js';
import {field} from './field.js';
import {FriendPicker} from './friend_picker.js';
import {reasonOf, t} from './i18n.js';
import {tellLeftOut} from './left_out.js';
import {wishedName} from './names.js';
import {chatAddress} from './room_key.js';

const MEMBERS_MAX = 500; // of the protocol, in a new group

export function openNewGroup(chat) {
    const name = el('input', {type: 'text', maxlength: '64', dir: 'auto', autocomplete: 'off', required: true});
    const picture = el('input', {type: 'url', maxlength: '2048', placeholder: 'https://…', inputmode: 'url'});
    const picker = new FriendPicker(chat, [], MEMBERS_MAX, t('group.noFriends'));
    const fault = el('p.fault', {role: 'alert'});
    const submit = el('button.primary', {type: 'submit'}, t('group.create'));
    // Sent again after an answer was lost, it makes no second group.
    const client_group_id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    const dialog = openDialog(t('group.new'), el('form.new-group', {novalidate: true, onsubmit: async (event) => {
        event.preventDefault();
        const wished = wishedName(name);
        const address = picture.value.trim();
        fault.textContent = wished.name === null ? t('group.nameMissing') : wished.fault ?? (address !== '' && webUrl(address) === null ? t('field.avatar_url') : '');
        if (fault.textContent !== '') {
            (wished.name === null || wished.fault !== null ? name : picture).focus();
            return;
        }
        submit.disabled = true;
        try {
            const {conversation, leftOut} = await chat.createGroup({name: wished.name, user_ids: picker.userIds,
                avatar_url: address === '' ? undefined : webUrl(address), client_group_id});
            dialog.close();
            location.hash = chatAddress(conversation.key);
            tellLeftOut(chat, leftOut);
        } catch (problem) {
            fault.textContent = reasonOf(problem);
        } finally {
            submit.disabled = false;
        }
    }},
    field(t('group.name'), name), field(t('group.picture'), picture),
    el('h3', {}, t('group.choose')), el('p.hint', {}, t('group.chooseHint')), picker.node, fault,
    el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()), submit)));
    name.focus();
}
