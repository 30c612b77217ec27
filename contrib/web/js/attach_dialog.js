// SPDX-License-Identifier: BSD-2-Clause
// Files that were chosen, dropped or pasted, before they are sent: what they are, a caption, and which not.
import {bdi, el, icon, iconButton, textButton} from './dom.js';
import {openDialog} from './dialog.js';
import {field} from './field.js';
import {bytes} from './format.js';
import {t} from './i18n.js';
import {previewOf} from './picture.js';
import {canShrink} from './shrink.js';

export const FILES_MAX = 30;

// Asks the system for files. accept: as of an <input>, '' for all; capture: with the camera; several: more than one.
export function chooseFiles(accept, capture = false, several = !capture) {
    return new Promise((resolve) => {
        const input = el('input.unseen', {type: 'file', accept, multiple: several, capture: capture ? 'environment' : null, tabindex: '-1', 'aria-hidden': 'true', id: 'choose-files'});
        const done = () => {
            input.remove();
            resolve([...input.files]);
        };
        input.addEventListener('change', done);
        input.addEventListener('cancel', done);
        document.getElementById('choose-files')?.remove();
        ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(input); // a dialog leaves everything outside it inert
        input.click();
    });
}

// send(files, {content, original})
export function openAttachDialog(files, send) {
    let chosen = files.slice(0, FILES_MAX);
    const list = el('ul.chosen-files');
    const caption = el('input', {type: 'text', dir: 'auto', maxlength: '4000'});
    const original = el('input', {type: 'checkbox', name: 'original'});
    const originalLabel = el('label.check', {}, original, t('attach.original'));
    const fault = el('p.hint', {role: 'status'}, files.length > FILES_MAX ? t('attach.tooMany', {count: FILES_MAX}) : '');
    const form = el('form', {novalidate: true, onsubmit: (event) => {
        event.preventDefault();
        dialog.close();
        send(chosen, {content: caption.value.trim() || null, original: original.checked});
    }},
    list, fault, field(t('attach.caption'), caption), originalLabel,
    el('div.buttons', {}, textButton('quiet', t('dialog.cancel'), () => dialog.close()),
        el('button.primary', {type: 'submit'}, t('composer.send'))));
    const dialog = openDialog(t('attach.title', {count: chosen.length}), form);
    dialog.classList.add('attach-dialog');
    const refresh = () => {
        dialog.querySelector('h2').textContent = t('attach.title', {count: chosen.length});
        originalLabel.hidden = !chosen.some(canShrink);
    };
    const remove = (file, row) => {
        chosen = chosen.filter((one) => one !== file);
        const next = row.nextElementSibling ?? row.previousElementSibling;
        row.remove();
        if (chosen.length === 0)
            dialog.close();
        refresh();
        next?.querySelector('button').focus();
    };
    list.append(...chosen.map((file) => fileRow(file, remove)));
    refresh();
    caption.focus();
}

function fileRow(file, remove) {
    const picture = el('span.file-icon', {}, icon(file.type.startsWith('video/') ? 'video' : file.type.startsWith('audio/') ? 'mic' : 'file'));
    const row = el('li', {}, picture, el('span.file-text', {}, el('span.file-name', {}, bdi(file.name)), el('span.media-note', {}, bytes(file.size))),
        iconButton('close', t('attach.remove', {name: file.name}), () => remove(file, row)));
    previewOf(file, 112).then((preview) => preview && picture.replaceChildren(preview.canvas));
    return row;
}
