-- When a message was handed to the broker last, and how often it was sent again because no acknowledgement came.
alter table out_message
    add column sent timestamptz,
    add column resent integer not null default 0;

create index out_message_unanswered on out_message (receiver, sent)
    where internal_type = 'STANDARD_MESSAGE' and state in ('ACCEPTED', 'DELIVERED') and due is null;
create index out_message_answered on out_message (receiver, urgent, sent)
    where internal_type = 'STANDARD_MESSAGE' and state = 'RECEIVED';
