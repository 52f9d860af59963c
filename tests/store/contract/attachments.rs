//! What users attach to messages.

use chatkit_gateway::{
    protocol::{
        Attachment, AttachmentId, ThreadId, UserId,
        attachment::{AttachmentKind, UploadDescriptor},
    },
    store::{
        Store,
        record::{AttachmentRecord, Begun},
    },
};
use serde_json::json;

use crate::harness::{
    alice, at, begin, bob, end, new_thread, run_in, run_in_new_thread, texts, user_message,
};

fn attachment(user_id: UserId) -> AttachmentRecord {
    let metadata = json!({ "bucket": "private", "size": 1.0, "n": null });
    AttachmentRecord {
        attachment: Attachment {
            id: AttachmentId::new(),
            name: "report.pdf".to_owned(),
            mime_type: "application/pdf".to_owned(),
            upload_descriptor: None,
            thread_id: None,
            kind: AttachmentKind::File,
        },
        user_id,
        metadata: metadata.as_object().cloned().unwrap(),
        created_at: at(3),
    }
}

async fn insert(store: &dyn Store, user: UserId) -> AttachmentId {
    let record = attachment(user);
    let id = record.attachment.id;
    store.insert_attachment(record).await.unwrap();
    id
}

async fn thread_of(store: &dyn Store, user: &UserId, id: AttachmentId) -> Option<ThreadId> {
    store.find_attachments(user, &[id]).await.unwrap()[0].attachment.thread_id
}

pub(crate) async fn an_attachment_comes_back_as_it_was_given(store: &dyn Store) {
    let mut record = attachment(alice());
    record.attachment.kind = AttachmentKind::Image { preview_url: "https://x.test/p".to_owned() };
    record.attachment.upload_descriptor = Some(UploadDescriptor {
        url: "https://x.test/u?sig=a%2Fb".to_owned(),
        method: "PUT".to_owned(),
        headers: [("x-a".to_owned(), "1".to_owned())].into(),
    });
    let id = record.attachment.id;

    store.insert_attachment(record.clone()).await.unwrap();

    assert_eq!(store.find_attachments(&alice(), &[id]).await.unwrap(), [record]);
}

pub(crate) async fn attachments_are_found_by_their_user_in_the_order_asked_for(store: &dyn Store) {
    let (first, second) = (insert(store, alice()).await, insert(store, alice()).await);
    let bobs = insert(store, bob()).await;

    let found = store.find_attachments(&alice(), &[second, bobs, AttachmentId::new(), first]).await;

    let ids: Vec<AttachmentId> = found.unwrap().iter().map(|found| found.attachment.id).collect();
    assert_eq!(ids, [second, first]);
}

pub(crate) async fn a_run_binds_attachments_to_its_thread(store: &dyn Store) {
    let (first, second) = (insert(store, alice()).await, insert(store, alice()).await);
    let mut run = run_in_new_thread();
    run.attachments = vec![first, second];

    let (run_id, thread_id) = begin(store, run).await;

    assert_eq!(thread_of(store, &alice(), first).await, Some(thread_id));
    let listed = store.list_thread_attachments(&alice(), thread_id).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(store.list_thread_attachments(&bob(), thread_id).await.unwrap(), []);
    // Sent again in the same thread it stays where it is.
    end(store, (run_id, thread_id)).await;
    let mut again = run_in(thread_id);
    again.attachments = vec![first];
    begin(store, again).await;
}

pub(crate) async fn a_run_is_refused_when_an_attachment_is_not_to_be_had(store: &dyn Store) {
    let mine = insert(store, alice()).await;
    let bobs = insert(store, bob()).await;
    let elsewhere = insert(store, alice()).await;
    let mut run = run_in_new_thread();
    run.attachments = vec![elsewhere];
    begin(store, run).await;
    let thread_id = new_thread(store).await;

    for refused in [bobs, elsewhere, AttachmentId::new(), AttachmentId::UNKNOWN] {
        let mut run = run_in(thread_id);
        run.items = vec![user_message(thread_id, "with files")];
        run.attachments = vec![mine, refused];
        assert_eq!(store.begin_run(run).await.unwrap(), Begun::NotFound);
    }

    assert_eq!(texts(store, thread_id).await, [""; 0]);
    assert_eq!(thread_of(store, &alice(), mine).await, None);
    assert_eq!(thread_of(store, &bob(), bobs).await, None);
}

pub(crate) async fn a_deleted_thread_takes_its_attachments(store: &dyn Store) {
    let (sent, kept) = (insert(store, alice()).await, insert(store, alice()).await);
    let mut run = run_in_new_thread();
    run.attachments = vec![sent];
    let (_, thread_id) = begin(store, run).await;

    store.delete_thread(&alice(), thread_id).await.unwrap();

    let found = store.find_attachments(&alice(), &[sent, kept]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].attachment.id, kept);
}

pub(crate) async fn an_attachment_is_deleted_by_its_user_only(store: &dyn Store) {
    let id = insert(store, alice()).await;

    assert!(!store.delete_attachment(&bob(), id).await.unwrap());
    assert!(store.delete_attachment(&alice(), id).await.unwrap());
    assert!(!store.delete_attachment(&alice(), id).await.unwrap());

    assert_eq!(store.find_attachments(&alice(), &[id]).await.unwrap(), []);
}
