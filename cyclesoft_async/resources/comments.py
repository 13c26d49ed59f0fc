"""Comments on orders, invoices and customers: the log of what was said.

Vendor page: "Comments" (scope `resources` or `crm`).
"""

from __future__ import annotations

from cyclesoft_async._arguments import check_type
from cyclesoft_async.models import Comment, CommentCreate, CommentUpdate
from cyclesoft_async.pagination import PageReader, Paginator, next_resultset
from cyclesoft_async.transport import nothing, under

from .resource import Endpoint, Listing, Resource, with_look

_SCOPE = "resources or crm"

# The vendor writes comments/ for reading and deleting, and comment/ for writing.
GET = Endpoint(path="/api/v1/comments/{comment_id}.json", answer=under("comment", Comment), scope=_SCOPE)
LIST_FOR_ENTITY = Listing(
    path="/api/v1/comments/{entity_type_id}/{entity_id}.json",
    rows=PageReader(Comment, key="comments", follow=next_resultset),
    scope=_SCOPE,
)
LIST_FOR_CUSTOMER = Listing(
    path="/api/v1/customers/{customer_id}/comments.json",
    rows=PageReader(Comment, key="comments", follow=next_resultset),
    scope=_SCOPE,
)
CREATE = Endpoint(
    method="POST",
    path="/api/v1/comment/create.json",
    answer=nothing,
    scope=_SCOPE,
    how_to_check="look for it in list_for_entity(...) before you repeat the call",
)
UPDATE = Endpoint(
    method="PUT",
    path="/api/v1/comment/{comment_id}.json",
    answer=nothing,
    scope=_SCOPE,
    how_to_check="read the comment before you repeat the call",
)
DELETE = Endpoint(
    method="DELETE",
    path=GET.path,
    answer=nothing,
    scope=_SCOPE,
    how_to_check="read the comment before you repeat the call",
)


class Comments(Resource):
    """Comments of the account. Every method can raise any `errors.RequestError`."""

    async def get(self, comment_id: int) -> Comment:
        """Return one comment.

        Args:
            comment_id: The comment.

        Raises:
            NotFoundError: There is no such comment.
        """
        return await self._fetch(GET, comment_id)

    def list_for_entity(
        self, entity_type_id: int, entity_id: int, *, cursor: str | None = None
    ) -> Paginator[Comment]:
        """List the comments on one thing. The last page is empty.

        Args:
            entity_type_id: Enum `entity_types`: 5 is an invoice, 7 a sales order.
            entity_id: The invoice's number or the order's id.
            cursor: `page.cursor` of an earlier page, to resume after it.

        Raises:
            UsageError: The cursor is from another list. Raised at once, without a request.
        """
        return self._pages(LIST_FOR_ENTITY, entity_type_id, entity_id, cursor=cursor)

    def list_for_customer(self, customer_id: int, *, cursor: str | None = None) -> Paginator[Comment]:
        """List the comments that concern a customer. The last page is empty.

        Args:
            customer_id: The customer.
            cursor: `page.cursor` of an earlier page, to resume after it.

        Raises:
            UsageError: The cursor is from another list. Raised at once, without a request.
        """
        return self._pages(LIST_FOR_CUSTOMER, customer_id, cursor=cursor)

    async def create(self, comment: CommentCreate) -> None:
        """Create a comment. The server does not return its id.

        Args:
            comment: The comment.

        Raises:
            UsageError: `comment` is not a `CommentCreate`. Nothing was sent.
            AmbiguousWriteError: The comment may or may not have been created. The request is never repeated.
                The comments on the same thing with the same text by the same employee are the error's `found`
                if they could be listed. Older ones are among them: see `created_at`.
        """
        check_type("comment", comment, CommentCreate)
        return await with_look(self._fetch(CREATE, json=comment), lambda: self._like(comment))

    async def _like(self, wanted: CommentCreate) -> list[Comment]:
        listed = self.list_for_entity(wanted.entity_type_id, wanted.entity_id)
        text, employee_id = wanted.comment.strip(), wanted.employee_id
        return [
            item
            async for item in listed
            if (item.comment or "").strip() == text and item.employee_id == employee_id
        ]

    async def update(self, comment_id: int, changes: CommentUpdate) -> None:
        """Change a comment.

        Args:
            comment_id: The comment.
            changes: Properties to change.

        Raises:
            UsageError: `changes` is not a `CommentUpdate`. Nothing was sent.
            AmbiguousWriteError: The comment may or may not have been changed. The request is never repeated.
                The comment is read again, and is the error's `found` if that succeeds.
        """
        check_type("changes", changes, CommentUpdate)
        return await with_look(self._fetch(UPDATE, comment_id, json=changes), lambda: self.get(comment_id))

    async def delete(self, comment_id: int) -> None:
        """Delete a comment.

        Args:
            comment_id: The comment.

        Raises:
            NotFoundError: There is no such comment.
            AmbiguousWriteError: The comment may or may not have been deleted. The request is never repeated.
                The comment is read again, and is the error's `found` if it is still there.
        """
        return await with_look(self._fetch(DELETE, comment_id), lambda: self.get(comment_id))
