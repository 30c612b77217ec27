// SPDX-License-Identifier: BSD-2-Clause
// Files that are dragged over the conversation and dropped there, anywhere.
import {el, icon} from './dom.js';
import {t} from './i18n.js';

// mayTake(): whether files could be sent now. take(files). node: what is shown while they are over it; listenOn(what they
// may be dropped on).
export function onFilesDropped(mayTake, take) {
    const node = el('div.drop-here', {hidden: true}, el('p', {}, icon('file'), t('attach.drop')));
    const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
    // Beside it the browser would leave the page to show the file.
    for (const name of ['dragover', 'drop']) {
        document.addEventListener(name, (event) => {
            if (!hasFiles(event) || event.defaultPrevented)
                return;
            event.preventDefault();
            event.dataTransfer.dropEffect = 'none';
        });
    }
    const listenOn = (place) => {
        place.addEventListener('dragenter', (event) => {
            if (hasFiles(event) && mayTake())
                node.hidden = false;
        });
        place.addEventListener('dragover', (event) => {
            if (!hasFiles(event))
                return;
            event.preventDefault();
            event.dataTransfer.dropEffect = mayTake() ? 'copy' : 'none';
        });
        place.addEventListener('dragleave', ({relatedTarget}) => {
            if (relatedTarget === null || !place.contains(relatedTarget))
                node.hidden = true;
        });
        place.addEventListener('drop', (event) => {
            if (!hasFiles(event))
                return;
            event.preventDefault();
            node.hidden = true;
            if (mayTake())
                take([...event.dataTransfer.files].filter((file) => file.size > 0 || file.type !== '')); // the others are folders
        });
    };
    return {node, listenOn};
}
